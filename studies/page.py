"""The tables of `docs/results.md`, made from the rows in `studies/rows/`.

The page is prose with tables between `<!-- results: NAME -->` and `<!-- end -->`; only the tables
are written here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median, stdev

from fggm_lab.files import write_text
from fggm_lab.methods import METHODS
from fggm_lab.runs import NUMBERS
from fggm_lab.runs.bootstrap import bootstrap_interval
from fggm_lab.runs.paired import interval
from studies.catalog import COMBINED, OWN_SAMPLES
from studies.rows import Row, former_rows, study_rows
from studies.tuning import gain

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results.md"
_BLOCK = re.compile(r"(<!-- results: ([\w-]+) -->\n).*?(<!-- end -->)", re.S)
LOSSES = {
    "general_after": "loss on stories, after",
    "loss_learned": "loss on each task, when learned",
    "loss_end": "loss on all tasks, at the end",
}


METHOD_ORDER = (
    *("untrained", "sft", "migu", "fggm", "random", "fggm-online", "protect", "contrast"),
    *("magnitude", "mofo", "ewc", "online-ewc", "l2", "lwf", "replay", "lora", "olora", "joint"),
    *COMBINED,
)
"""The order of methods in tables."""


def stored_rows(study: str) -> list[Row]:
    """A study's rows; of those that are being trained anew the former ones."""
    return former_rows(study) or study_rows(study).rows


def number_headings() -> dict[str, str]:
    """The numbers that tables show, but for costs: key → heading."""
    return {
        key: heading(key) for key, number in NUMBERS.items() if number.in_tables and not number.cost
    }


def heading(key: str) -> str:
    """The heading of a number on this page."""
    return NUMBERS[key].short_label or NUMBERS[key].label


def table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = list(heads)
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *lines))


def mean_with_sd(values: Sequence[float], decimals: int = 3) -> str:
    """Mean ± sample standard deviation, in one piece; – of nothing."""
    if not values:
        return "–"
    mean = f"{fmean(values):.{decimals}f}"
    return f"{mean}&nbsp;±&nbsp;{stdev(values):.{decimals}f}" if len(values) > 1 else mean


def by(rows: Iterable[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """Rows by what `key` calls them, in the order of their first row."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def numbers(rows: Sequence[Row], keys: Iterable[str]) -> list[str]:
    """Mean and standard deviation of each number over rows; – where no row has it."""
    return [
        mean_with_sd(
            [row[key] for row in rows if row.get(key) is not None],
            NUMBERS[key].decimals if key in NUMBERS else 3,
        )
        for key in keys
    ]


def method_of(row: Row) -> str:
    """A row's method."""
    return str(row["method"])


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of the lab's list of methods."""
    return sorted(rows, key=lambda row: METHOD_ORDER.index(row["method"]))


# The main tables


def comparison(study: str) -> str:
    """All methods of a study."""
    groups = by(in_order(stored_rows(study)), method_of)
    headings = number_headings()
    lines = [
        [
            method, str(len(rows)), *numbers(rows, headings),
            _megabytes(max(row["stored_mb"] or 0 for row in rows)),
        ]
        for method, rows in groups.items()
    ]  # fmt: skip
    return table(["method", "seeds", *headings.values(), "keeps, MB"], lines)


def _megabytes(size: float) -> str:
    return f"{size:.2f}" if size else "–"


def cost() -> str:
    """Time and peak memory of every method beside SFT's, in the second order."""
    groups = by(in_order(stored_rows("trace-2")), method_of)
    groups.pop("untrained", None)
    measures = ("learning_seconds", "peak_memory_mb")
    plain = {name: median(row[name] for row in groups["sft"]) for name in measures}
    lines = [
        [method, *(f"{median(r[name] for r in rows) / plain[name]:.2f}" for name in measures)]
        for method, rows in groups.items()
    ]
    return table(["method", "time ÷ SFT", "peak memory ÷ SFT"], lines)


PAIRS = (
    ("fggm", "sft"),
    ("fggm", "migu"),
    ("fggm", "random"),
    ("contrast", "fggm"),
    ("contrast", "random"),
    ("protect", "random"),
    ("mofo", "contrast"),
    ("l2", "sft"),
    ("replay+fggm", "replay"),
    ("replay+contrast", "replay"),
    ("lora+fggm", "lora"),
    ("lora+contrast", "lora"),
)


def differences(*studies: str) -> str:
    """Differences paired by order and seed, with both 95 % intervals."""
    rows = [row for study in studies for row in stored_rows(study)]
    rows_by_run = {(row["method"], *row["tasks"], row["seed"]): row for row in rows}
    lines = []
    for method, other in PAIRS:
        pairs = [
            (row, rows_by_run[paired])
            for (row_method, *order_and_seed), row in rows_by_run.items()
            if row_method == method and (paired := (other, *order_and_seed)) in rows_by_run
        ]
        for key in (key for key, number in NUMBERS.items() if number.paired_by_default):
            gaps = [a[key] - b[key] for a, b in pairs if key in a and key in b]
            if not gaps:
                continue
            low, high = interval(gaps)
            first, last = bootstrap_interval(gaps)
            lines.append([
                f"{method} − {other}" if key == "general_after" else "",
                heading(key), str(len(gaps)),
                f"{fmean(gaps):+.3f}", _ends(low, high), _ends(first, last),
            ])  # fmt: skip
    heads = ["", "", "pairs", "mean", "Student's t", "bootstrap"]
    return table(heads, lines)


def _ends(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:+.3f} to {high:+.3f}"


def tuning() -> str:
    """What every method tried, and what was chosen."""
    rows = in_order(stored_rows("tuning"))
    lines = []
    for method, trials in by(rows, method_of).items():
        best = max(trials, key=gain)
        named = ", ".join([f"lr {best['lr']:g}", *_former_strength(best)])
        lines.append([
            method, str(len(trials)), named, f"{best['general_after']:.3f}",
            f"{best['op_final']:.3f}", " ".join(f"{gain(row):.3f}" for row in trials),
        ])  # fmt: skip
    return table(
        ["method", "trials", "chosen", "General", "OP", "mean of the two in all trials"], lines
    )


_FORMER_STRENGTHS = {
    "ewc": "strength", "online-ewc": "strength", "l2": "strength", "lwf": "weight",
    "replay": "ratio", "lora": "lr_scale", "olora": "lr_scale",
}  # fmt: skip


def _former_strength(row: Row) -> list[str]:
    name = _FORMER_STRENGTHS.get(method_of(row))
    return [] if name is None else [f"{name} {row['settings'][name]:g}"]


# Side studies


def grouped(
    rows: Iterable[Row],
    setting: str,
    value: Callable[[Row], object],
    columns: Mapping[str, str] | None = None,
) -> str:
    """A line for every method and value of a setting, in the order of the rows.

    Args:
        rows: the runs.
        setting: the heading of the setting's column.
        value: reads the setting off a row.
        columns: keys of rows → their headings; None: `number_headings()`.

    Returns:
        A Markdown table.
    """
    columns = number_headings() if columns is None else columns
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((method_of(row), _number(value(row))), []).append(row)
    lines = [[*name, *numbers(group_rows, columns)] for name, group_rows in groups.items()]
    return table(["method", setting, *columns.values()], lines)


def _number(value: object) -> str:
    return "all" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def rates(study: str, columns: Mapping[str, str] | None = None) -> str:
    """Every method at every rate."""
    rows = sorted(
        stored_rows(study), key=lambda row: (METHOD_ORDER.index(row["method"]), row["lr"])
    )
    return grouped(rows, "rate", lambda row: row["lr"], columns)


def keep_shares() -> str:
    """Every mask at every keep share."""
    rows = sorted(stored_rows("keep"), key=lambda row: (row["method"], row["settings"]["keep"]))
    return grouped(rows, "keep", lambda row: row["settings"]["keep"])


def default(row: Row) -> dict[str, object]:
    """The settings that a row's method has unless told otherwise."""
    return METHODS[method_of(row)]().settings


def usual(*methods: str) -> list[Row]:
    """Runs of `keep` and `samples` with default settings."""
    return [
        row for study in ("keep", "samples") for row in stored_rows(study)
        if row["method"] in methods and row["settings"] == default(row)
    ]  # fmt: skip


def ablations() -> str:
    """FGGM as the paper has it, and with one change each."""

    def change(row: Row) -> str:
        usually = default(row)
        changed = [
            f"{key} {value}".replace("True", "true").replace("False", "false")
            for key, value in row["settings"].items()
            if usually[key] != value
        ]
        return ", ".join(changed) or "as it is"

    rows = sorted(
        [*usual("fggm", *OWN_SAMPLES), *stored_rows("ablations")],
        key=lambda row: ("fggm", *OWN_SAMPLES).index(row["method"]),
    )
    return grouped(rows, "change", change)


def counts(rows: Iterable[Row], setting: str, methods: Sequence[str]) -> str:
    """How many examples, or samples, a method scores."""

    def place(row: Row) -> tuple[int, float]:
        value = row["settings"][setting]
        return methods.index(row["method"]), float("inf") if value is None else value

    name = setting.replace("_", " ")
    return grouped(sorted(rows, key=place), name, lambda row: row["settings"][setting])


LEVELS = (0.65, 0.7, 0.75, 0.8)
"""Learning accuracies at which methods are compared; all of them reach most of these."""


def matched(study: str) -> str:
    """General and OP where methods have learned as much: read off each seed's curve by a line."""
    groups = by(stored_rows(study), method_of)
    lines = []
    for method in sorted(groups, key=METHOD_ORDER.index):
        line = [method]
        for number in ("general_after", "op_final"):
            for level in LEVELS:
                seeds = by(groups[method], lambda row: str(row["seed"]))
                read = [at_level(rows, level, number) for rows in seeds.values()]
                values = [value for value in read if value is not None]
                line.append(mean_with_sd(values) if len(values) == len(read) else "–")
        lines.append(line)
    heads = [f"{heading(n)} at {v:g}" for n in ("general_after", "op_final") for v in LEVELS]
    return table(["method", *heads], lines)


def at_level(rows: Sequence[Row], level: float, number: str) -> float | None:
    """A number where a curve of rising steps first reaches a learning accuracy, by interpolation.

    The curve goes through one seed's rows by rising learning rate or keep share.

    Args:
        rows: of one method and seed.
        level: the learning accuracy.
        number: the key of the number.

    Returns:
        The number; None where the curve stays below the level, or begins above it.
    """
    curve = sorted(rows, key=lambda row: (row["lr"], row["settings"].get("keep", 1)))
    for a, b in pairwise(curve):
        low, high = a["learning_accuracy"], b["learning_accuracy"]
        if low <= level <= high and high > low:
            return float(a[number] + (b[number] - a[number]) * (level - low) / (high - low))
    return None


BLOCKS: dict[str, tuple[tuple[str, ...], Callable[[], str]]] = {
    "tuning": (("tuning",), tuning),
    "trace-1": (("trace-1",), lambda: comparison("trace-1")),
    "trace-2": (("trace-2",), lambda: comparison("trace-2")),
    "code-mini": (("code-mini",), lambda: comparison("code-mini")),
    "differences": (("trace-1", "trace-2"), lambda: differences("trace-1", "trace-2")),
    "code-differences": (("code-mini",), lambda: differences("code-mini")),
    "cost": (("trace-2",), cost),
    "rates": (("rates",), lambda: rates("rates")),
    "keep": (("keep",), keep_shares),
    "matched-rates": (("rates",), lambda: matched("rates")),
    "matched-keep": (("keep",), lambda: matched("keep")),
    "ablations": (("keep", "samples", "ablations"), ablations),
    "examples": (
        ("keep", "examples"),
        lambda: counts([*usual("fggm"), *stored_rows("examples")], "max_examples", ["fggm"]),
    ),
    "samples": (
        ("samples",),
        lambda: counts(stored_rows("samples"), "samples", OWN_SAMPLES),
    ),
    "stories": (("stories",), lambda: rates("stories", LOSSES)),
}
"""What the page can ask for: the studies it needs, and the table they make."""


def block(name: str) -> str:
    """A table of the page, or that its studies have not been run."""
    needed, make_table = BLOCKS[name]
    lacking = [study for study in needed if not stored_rows(study)]
    return f"*Not run yet: {', '.join(lacking)}.*" if lacking else make_table()


def filled(text: str) -> str:
    """The page with its tables as the rows have them."""
    return _BLOCK.sub(lambda match: f"{match[1]}\n{block(match[2])}\n\n{match[3]}", text)


def write_page() -> None:
    """Write the page anew."""
    write_text(PAGE, filled(PAGE.read_text(encoding="utf-8")))
