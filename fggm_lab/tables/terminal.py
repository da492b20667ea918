"""Rows of runs as tables for a terminal (rich)."""

import re
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from fggm_lab.runs.numbers import NUMBERS
from fggm_lab.runs.published import published
from fggm_lab.tables.columns import default_keys, heading, lower_is_better


def comparison_table(
    rows: Sequence[dict[str, Any]], columns: Sequence[str] | None = None, title: str | None = None
) -> Table:
    """Rows of runs as a rich table; `–` is not measured, ↓ better if lower, * unfinished.

    Args:
        rows: of `comparison` or `over_seeds`.
        columns: the numbers to show, keys of `NUMBERS`; None: those that are `in_tables`.
        title: printed above.

    Returns:
        The table; with the default numbers it fits into 80 characters.
    """
    keys = default_keys() if columns is None else columns
    marked = lower_is_better(rows)
    notes = ["↓ lower is better"] if marked & set(keys) else []
    before = {_lines("general_before", row["general_before"], 1)[0] for row in rows} - {"–"}
    if "general_before" not in keys and before:
        notes.append(f"General before training: {', '.join(sorted(before))}")
    notes += ["* unfinished"] if not all(row["finished"] for row in rows) else []
    table = Table(title=title, box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.caption = "; ".join(notes) or None
    table.add_column("method", overflow="fold")
    table.add_column("seeds", justify="right", no_wrap=True)
    for key in keys:
        stacked = re.sub(r"(?<!÷) ", "\n", heading(key, marked))
        table.add_column(stacked, justify="right", no_wrap=True)
    for row in rows:
        several = isinstance(row["seed"], list)
        seeds = len(row["seed"]) if several else 1
        method = escape(row["method"]) + ("" if row["finished"] else " *")
        cells = ["\n".join(_lines(key, row[key], seeds)) for key in keys]
        table.add_row(method, f"n={seeds}" if several else str(row["seed"]), *cells)
    return table


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
        The table, a row per number and method.
    """
    table = Table(
        title=f"minus {baseline}, paired by seed and order; 95 % intervals",
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
        table.add_row(number.label, escape(row["method"]), str(row["n"]), *cells)
    return table


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
        table.add_row(row["kind"], escape(row["method"]) + mark, *cells)
    notes = [f"{mark} {escape(note)}" for note, mark in marks.items()]
    notes += [f"{kind}: {source}" for kind, source in published()["sources"].items()]
    undetermined = definitions["op_undetermined"]
    notes.append(f"{undetermined['label']}: {undetermined['definition']}")
    table.caption = "\n".join(notes)
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
