"""Rows of runs as tables for a terminal (rich)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from fggm_lab.escaping import visible
from fggm_lab.runs.bootstrap import COVERAGE
from fggm_lab.runs.first_task import first_task_note
from fggm_lab.runs.numbers import NUMBERS
from fggm_lab.runs.paired import COVERS, comparisons_note
from fggm_lab.runs.published import published
from fggm_lab.tables.columns import default_keys, lower_is_better, short_heading

NARROW = 70
"""Characters of a terminal below which each method has a block of its own."""

EXPLANATIONS = {
    "op_final": "OP: mean score on all tasks at the end",
    "bwt_gem": "BWT: how earlier tasks changed since they were learned, ÷\u00a0T−1",
}
"""Key of a number whose heading is an abbreviation → what it is, in a line."""


def comparison_table(
    rows: Sequence[dict[str, Any]], columns: Sequence[str] | None = None, title: str | None = None
) -> RenderableType:
    """Rows of runs as a rich table; `–` is not measured, ↓ better if lower, * unfinished.

    Args:
        rows: of `comparison` or `over_seeds`.
        columns: the numbers to show, keys of `NUMBERS`; None: those that are `in_tables`.
        title: printed above.

    Returns:
        What prints itself as a table, which with the default numbers fits into 80 characters; in
        a terminal of fewer than `NARROW`, as a block for each row.
    """
    keys = default_keys(rows) if columns is None else list(columns)
    marked = lower_is_better(rows)
    headings = {key: short_heading(key, keys, marked) for key in keys}
    notes = _notes(rows, keys, marked)
    return _ByWidth(
        wide=_wide(rows, headings, title, notes), narrow=_blocks(rows, headings, title, notes)
    )


@dataclass(frozen=True)
class _ByWidth:
    """Two forms of the same, of which the terminal's width chooses one."""

    wide: RenderableType
    narrow: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.narrow if options.max_width < NARROW else self.wide


def _wide(
    rows: Sequence[dict[str, Any]], headings: dict[str, str], title: str | None, notes: list[str]
) -> Table:
    """A row for each method, a column for each number."""
    table = Table(title=_text(title), box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.caption = _text("\n".join(notes) or None)
    table.add_column("method", overflow="fold")
    averaged = any(isinstance(row["seed"], list) for row in rows)
    table.add_column("seeds" if averaged else "seed", justify="right", no_wrap=True)
    for text in headings.values():
        stacked = re.sub(r"(?<!÷) ", "\n", text)
        table.add_column(stacked, justify="right", no_wrap=True)
    for row in rows:
        seeds, shown = _seeds(row)
        cells = ["\n".join(_lines(key, row[key], seeds)) for key in headings]
        table.add_row(_text(row["method"] + _mark(row)), shown, *cells)
    return table


def _blocks(
    rows: Sequence[dict[str, Any]], headings: dict[str, str], title: str | None, notes: list[str]
) -> RenderableType:
    """A block for each method, a line for each number."""
    blocks: list[RenderableType] = [] if title is None else [Text(visible(title), style="italic")]
    for row in rows:
        seeds, shown = _seeds(row)
        table = Table(box=None, padding=(0, 1), show_header=False)
        table.add_column(min_width=max(map(len, headings.values()), default=0))
        table.add_column(justify="right")
        for key, text in headings.items():
            table.add_row(text, " ".join(_lines(key, row[key], seeds)))
        name = f"{row['method']}{_mark(row)}"
        heading = f"{name} ({shown if seeds > 1 else f'seed {shown}'})"
        blocks += [Text(visible(heading), "bold"), table]
    return Group(*blocks, *(Text(visible(note), style="dim") for note in notes))


def _text(text: str | None) -> Text | None:
    """Text that holds names, as a cell, title or caption in which nothing is read as markup."""
    return None if text is None else Text(visible(text))


def _notes(rows: Sequence[dict[str, Any]], keys: Sequence[str], marked: set[str]) -> list[str]:
    """What stands below the table."""
    notes = ["↓ lower is better"] if marked & set(keys) else []
    before = {_lines("general_before", row["general_before"], 1)[0] for row in rows} - {"–"}
    if "general_before" not in keys and before:
        notes.append(f"General before training: {', '.join(sorted(before))}")
    notes += ["* unfinished"] if not all(row["finished"] for row in rows) else []
    lines = ["; ".join(notes)] if notes else []
    if (first_task := first_task_note(rows)) is not None:
        lines.append(first_task)
    return lines + [EXPLANATIONS[key] for key in keys if key in EXPLANATIONS]


def _seeds(row: dict[str, Any]) -> tuple[int, str]:
    """How many seeds a row is of, and how a table shows them: `n=5`, or the one seed itself."""
    if isinstance(row["seed"], list):
        return len(row["seed"]), f"n={len(row['seed'])}"
    return 1, str(row["seed"])


def _mark(row: dict[str, Any]) -> str:
    return "" if row["finished"] else " *"


def _lines(key: str, value: Any, seeds: int) -> list[str]:
    """One number; of a mean over seeds its sd below, and how many seeds if not all have it."""
    number = NUMBERS[key]
    if not isinstance(value, dict):
        return [number.text(value)]
    lines = [number.text(value["mean"])]
    if value["sd"] is not None:
        lines.append(f"±{number.text(value['sd'])}")
    if 0 < value["n"] < seeds:
        lines.append(f"n={value['n']}")
    return lines


def paired_table(rows: Sequence[dict[str, Any]], baseline: str) -> Table:
    """Differences from a baseline with both intervals; what no pair measured is left out.

    Args:
        rows: of `paired`.
        baseline: the method that was subtracted.

    Returns:
        The table, a row per number and method; below it what the intervals cover, and how many of
        so many miss by chance.
    """
    table = Table(
        title=_text(f"minus {baseline}, paired by seed and order; 95 % intervals"),
        box=SIMPLE_HEAD,
        padding=0,
        pad_edge=False,
    )
    table.add_column("number", overflow="fold")
    table.add_column("method", overflow="fold")
    for text in ("pairs", "mean", "Student's t", "bootstrap"):
        table.add_column(text, justify="right", no_wrap=True)
    for row in rows:
        if not row["n"]:
            continue
        number = NUMBERS[row["metric"]]
        cells = [f"{row['mean']:+.{number.decimals}f}"]
        for low, high in (("low", "high"), ("boot_low", "boot_high")):
            ends = [
                f"{row[end]:+.{number.decimals}f}" for end in (low, high) if row[end] is not None
            ]
            cells.append(" to ".join(ends) or "–")
        table.add_row(number.label, _text(row["method"]), str(row["n"]), *cells)
    if intervals := sum(row["low"] is not None for row in rows):
        table.caption = "\n".join([comparisons_note(intervals), COVERS, _bootstrap_note()])
    return table


def _bootstrap_note() -> str:
    """How often the bootstrap's intervals hold the truth."""
    pairs = ", ".join(map(str, COVERAGE))
    shares = ", ".join(f"{100 * share:.0f}" for share in COVERAGE.values())
    return f"Of {pairs} pairs the bootstrap's hold the true mean in {shares} % of cases."


def published_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Our numbers beside published ones as a rich table, in percent, each definition a column.

    Args:
        rows: of `beside_published`.

    Returns:
        The table; below it the sources, and in what our runs differ from the published ones.
    """
    definitions = published()["definitions"]
    keys = [key for key in definitions if any(key in row["numbers"] for row in rows)]
    table = Table(title=f"{published()['benchmark']}, percent", box=SIMPLE_HEAD, padding=0)
    table.add_column("")
    table.add_column("method", overflow="fold")
    for key in keys:
        table.add_column(definitions[key]["label"].replace(" ", "\n"), justify="right")
    several = len({row["order"] for row in rows if row["kind"] == "ours"}) > 1
    marks: dict[str, str] = {}
    for row in rows:
        note = _note(row, several)
        mark = " " + marks.setdefault(note, f"*{len(marks) + 1}") if note else ""
        cells = (_percent(row, key) for key in keys)
        table.add_row(row["kind"], _text(row["method"] + mark), *cells)
    notes = [f"{mark} {note}" for note, mark in marks.items()]
    notes += [f"{kind}: {source}" for kind, source in published()["sources"].items()]
    undetermined = definitions["op_undetermined"]
    notes.append(f"{undetermined['label']}: {undetermined['definition']}")
    table.caption = _text("\n".join(notes))
    return table


def _note(row: dict[str, Any], several_orders: bool) -> str:
    """What to say below the table about one of our rows; its order if there are several."""
    if row["kind"] != "ours":
        return ""
    parts = [f"not the same: {'; '.join(row['unlike'])}"] if row["unlike"] else []
    return "; ".join([*parts, *([f"order: {row['order']}"] if several_orders else [])])


def _percent(row: dict[str, Any], key: str) -> str:
    """A number, below it its sd; – where there is none."""
    if key not in row["numbers"]:
        return "–"
    lines = [f"{row['numbers'][key]:.2f}"]
    if key in row["sd"]:
        lines.append(f"±{row['sd'][key]:.2f}")
    return "\n".join(lines)
