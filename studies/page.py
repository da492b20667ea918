"""The tables of `docs/results.md` and of two other pages, made from the rows in `studies/rows/`.

A page is prose with tables between `<!-- results: NAME -->` and `<!-- end -->`; only the tables are
written here. What the other pages show stays as it is until there are rows for it.
"""

import re
from collections.abc import Callable
from pathlib import Path

from fggm_lab.files import write_text
from studies import changes, compared, main_tables, side_tables
from studies.chosen import ON_CODE, ON_CODE_MORE, ON_TRACE, ON_TRACE_MORE
from studies.compared import rows_of
from studies.protocol import MORE, PRIORITY

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results.md"
PAGES = (PAGE, ROOT / "README.md", ROOT / "docs" / "defaults.md")
_BLOCK = re.compile(r"(<!-- results: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.S)

BLOCKS: dict[str, Callable[[], str]] = {
    "headline": main_tables.headline,
    "tuning": lambda: main_tables.tunings((ON_TRACE, PRIORITY), (ON_TRACE_MORE, MORE)),
    "trace-1": lambda: main_tables.comparison("trace-1"),
    "trace-2": lambda: main_tables.comparison("trace-2"),
    "rivals-1": lambda: main_tables.rivals("trace-1"),
    "rivals-2": lambda: main_tables.rivals("trace-2"),
    "first-task": main_tables.first_task,
    "differences": lambda: main_tables.differences("trace-1", "trace-2"),
    "coverage": main_tables.coverage,
    "rates": main_tables.rates,
    "matched-rates": main_tables.matched_rates,
    "until": side_tables.until,
    "noise": side_tables.noise,
    "cost": main_tables.cost,
    "tuning-code": lambda: main_tables.tunings((ON_CODE, PRIORITY), (ON_CODE_MORE, MORE)),
    "code-mini": lambda: main_tables.comparison("code-mini"),
    "code-differences": lambda: main_tables.differences("code-mini"),
    "self-kl": side_tables.self_kl,
    "self-kl-combined": side_tables.self_kl_combined,
    "keep": side_tables.keep_shares,
    "matched-keep": side_tables.matched_keep,
    "ablations": side_tables.ablations,
    "examples": side_tables.examples,
    "samples": side_tables.samples,
    "stories": side_tables.stories,
    "smollm2": side_tables.real_model,
    "changed-first-task": changes.first_task_switch,
    "changed-rates": changes.chosen_rates,
    "changed-matching": changes.matching,
    "pieces": side_tables.pieces,
    "provenance": side_tables.provenance,
}
"""What the page can ask for, and the table that it gets."""
LATER_BLOCKS: dict[str, tuple[str, Callable[[], str]]] = {
    "defaults": ("choose", side_tables.choose),
}
"""Blocks of the other pages, which stay as they are until their study has a row."""


def filled(text: str) -> str:
    """A page with its tables as the rows have them."""
    compared.plan.cache_clear()

    def block(match: re.Match[str]) -> str:
        start, name, before, end = match.groups()
        if name in BLOCKS:
            return f"{start}\n{BLOCKS[name]()}\n\n{end}"
        study, make_table = LATER_BLOCKS[name]
        return f"{start}\n{make_table()}\n\n{end}" if rows_of(study) else f"{start}{before}{end}"

    return _BLOCK.sub(block, text)


def write_page() -> None:
    """Write the pages anew."""
    for path in PAGES:
        write_text(path, filled(path.read_text(encoding="utf-8")))
