"""Rows of runs as a table for a page."""

from collections.abc import Sequence
from html import escape
from typing import Any

from fggm_lab.runs.compare import COLUMNS, Row, falling


def rows_html(caption: str, rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Rows of `comparison` or `over_seeds` as an HTML table; `–` is not measured, ↓ less is better.

    Args:
        caption: what the rows are.
        columns: the numbers to show, keys of `COLUMNS`.
    """
    less = falling(rows)
    heads = "".join(
        f'<th scope="col">{escape(COLUMNS[key])}{" ↓" if key in less else ""}</th>'
        for key in ("seed", *columns)
    )
    body = "".join(
        f'<tr><th scope="row">{escape(str(row["method"]))}'
        f"{'' if row['finished'] else ' (unfinished)'}</th><td>{_seeds(row['seed'])}</td>"
        + "".join(f"<td>{_number(key, row[key])}</td>" for key in columns)
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f'<caption>{escape(caption)}</caption><thead><tr><th scope="col">method</th>{heads}</tr>'
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def _seeds(seed: Any) -> str:
    return ", ".join(map(str, seed)) if isinstance(seed, list) else str(seed)


def _number(key: str, value: Any) -> str:
    places = 0 if key in ("seconds", "learning_seconds", "peak_memory_mb") else 3
    if isinstance(value, dict):
        if value["mean"] is None:
            return "–"
        spread = "" if value["sd"] is None else f" ± {value['sd']:.{places}f}"
        return f"{value['mean']:.{places}f}{spread}"
    return "–" if value is None else f"{value:.{places}f}"
