"""Rows as Markdown: groups, means with their spread, tables."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import TypeVar

from fggm_lab.runs import NUMBERS
from studies.rows import Row

Key = TypeVar("Key", bound=Hashable)


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


def by(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Rows by what `key` calls them, in the order of their first row."""
    groups: dict[Key, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def values_of(rows: Iterable[Row], key: str) -> list[float]:
    """A number of every row that has it."""
    return [row[key] for row in rows if row.get(key) is not None]


def numbers(rows: Sequence[Row], keys: Iterable[str]) -> list[str]:
    """Mean and standard deviation of each number over rows; – where no row has it."""
    return [
        mean_with_sd(values_of(rows, key), NUMBERS[key].decimals if key in NUMBERS else 3)
        for key in keys
    ]


def method_of(row: Row) -> str:
    """A row's method."""
    return str(row["method"])


def ends(low: float | None, high: float | None) -> str:
    """An interval in words; – where there is none."""
    return "–" if low is None or high is None else f"{low:+.3f} to {high:+.3f}"


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
        groups.setdefault((method_of(row), value_text(value(row))), []).append(row)
    lines = [[*name, *numbers(group_rows, columns)] for name, group_rows in groups.items()]
    return table(["method", setting, *columns.values()], lines)


def value_text(value: object) -> str:
    """A setting's value as a table shows it."""
    return "all" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
