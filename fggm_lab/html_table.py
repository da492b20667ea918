"""What a record shows as the last line of a notebook's cell: a small table, or lines of text."""

from collections.abc import Iterable, Sequence
from html import escape
from textwrap import fill

_COLUMNS = 80
"""Characters per line of plain text."""


def html_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], limit: int = 50
) -> str:
    """A table for a notebook: texts to the left, numbers to the right.

    Args:
        title: a line above the table.
        columns: the heads of the columns.
        rows: one cell for each column; a float is shown with three significant digits.
        limit: the most rows that are shown; a last row counts those left out.

    Returns:
        HTML in which every text is escaped.
    """
    rows = list(rows)
    heads = "".join(_cell("th", name, left=number == 0) for number, name in enumerate(columns))
    lines = [
        "".join(_cell("td", value, left=isinstance(value, str)) for value in row)
        for row in rows[:limit]
    ]
    if len(rows) > limit:
        lines.append(f'<td colspan="{len(columns)}">… and {len(rows) - limit} more</td>')
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f"<div>{escape(title)}</div>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def plain_lines(text: str) -> str:
    """A record in one sentence, broken between words where a line would be long.

    Args:
        text: the sentence.

    Returns:
        Lines of at most 80 characters, those after the first indented.
    """
    return fill(
        text, _COLUMNS, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def _cell(tag: str, value: object, left: bool) -> str:
    text = f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)
    return f'<{tag} style="text-align: {"left" if left else "right"}">{escape(text)}</{tag}>'
