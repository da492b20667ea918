"""Rows of runs as a table for a page."""

from collections.abc import Sequence
from html import escape
from typing import Any

from fggm_lab.runs.first_task import first_task_note
from fggm_lab.runs.numbers import NUMBERS
from fggm_lab.tables.columns import default_keys, heading, lower_is_better


def numbers_html(
    caption: str, rows: Sequence[dict[str, Any]], columns: Sequence[str] | None = None
) -> str:
    """Rows of runs as an HTML table; `–` is not measured, ↓ less is better.

    Args:
        caption: what the rows are.
        rows: of `comparison` or `over_seeds`.
        columns: the numbers to show, keys of `NUMBERS`; None: those that are `in_tables`.

    Returns:
        A `div` that scrolls sideways, with the table in it, and below that a line where the methods
        differ in whether they mask the first task.
    """
    keys = default_keys(rows) if columns is None else columns
    marked = lower_is_better(rows)
    headings = ["seed", *(heading(key, marked) for key in keys)]
    heads = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(str(row["method"]))}'
        f"{'' if row['finished'] else ' (unfinished)'}</th><td>{_seeds(row['seed'])}</td>"
        + "".join(f"<td>{_cell(key, row[key])}</td>" for key in keys)
        + "</tr>"
        for row in rows
    )
    first_task = first_task_note(rows)
    note = "" if first_task is None else f'<p class="note">{escape(first_task)}</p>'
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f'<caption>{escape(caption)}</caption><thead><tr><th scope="col">method</th>{heads}</tr>'
        f"</thead><tbody>{body}</tbody></table>{note}</div>"
    )


def _seeds(seed: int | list[int]) -> str:
    return ", ".join(map(str, seed)) if isinstance(seed, list) else str(seed)


def _cell(key: str, value: Any) -> str:
    """One number, or a mean with its standard deviation."""
    number = NUMBERS[key]
    if not isinstance(value, dict):
        return number.text(value)
    deviation = "" if value["sd"] is None else f" ± {number.text(value['sd'])}"
    return number.text(value["mean"]) + deviation
