"""One example before and after: its texts side by side, the words that differ marked."""

import re
from difflib import SequenceMatcher
from html import escape

from fggm_lab.plots.token_text import TokenText
from fggm_lab.runs.forgotten import AnswerChange, stage_name

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MARKS = ("213,94,0", "dotted"), ("0,114,178", "solid")
"""Red, green, blue and the underline of words that only the earlier, only the later answer has."""


def answer_text(change: AnswerChange) -> TokenText:
    """The prompt, the right answer, and the model's two answers, their differing words marked.

    Words of the earlier answer alone have a dotted underline, words of the later one alone a solid
    one, so that colour does not stand alone.

    Args:
        change: one example of `forgotten_examples`.

    Returns:
        The texts, for a notebook or as plain text.
    """
    before, after = _marked(change.prediction_before, change.prediction_after)
    columns = [
        _column("right answer", escape(change.answer)),
        _column(f"{stage_name(change.stage_before)}: score {change.score_before:.2f}", before),
        _column(f"{stage_name(change.stage_after)}: score {change.score_after:.2f}", after),
    ]
    html = (
        f'<div role="group" aria-label="{escape(_heading(change))}" style="line-height:1.5">'
        f'<div style="font-weight:600">{escape(_heading(change))}</div>'
        f'<div tabindex="0" style="{_TEXT};max-height:14em;overflow:auto">'
        f"{escape(change.prompt)}</div>"
        '<div style="display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));'
        f'gap:4px 16px;margin-top:8px">{"".join(columns)}</div>'
        f'<div style="font-size:12px;margin-top:6px">{escape(_likelihood(change))}</div></div>'
    )
    return TokenText(html, _words(change))


def differing_words(before: str, after: str) -> tuple[list[tuple[str, bool]], ...]:
    """The words of two texts, each with whether it differs from the other text.

    Args:
        before: a text.
        after: another.

    Returns:
        For either text its pieces, in order, which add up to it: words, marks and white space, and
        whether a piece is in this text alone.
    """
    pieces = _WORD.findall(before), _WORD.findall(after)
    differs = [[True] * len(words) for words in pieces]
    for start, later_start, size in SequenceMatcher(
        None, *pieces, autojunk=False
    ).get_matching_blocks():
        differs[0][start : start + size] = [False] * size
        differs[1][later_start : later_start + size] = [False] * size
    first, second = (
        list(zip(words, flags, strict=True)) for words, flags in zip(pieces, differs, strict=True)
    )
    return first, second


_TEXT = (
    "font-family:ui-monospace,monospace;font-size:13px;white-space:pre-wrap;overflow-wrap:anywhere"
)


def _column(heading: str, html: str) -> str:
    shown = html or "<i>(empty)</i>"
    return (
        f'<div><div style="font-size:12px">{escape(heading)}</div>'
        f'<div style="{_TEXT}">{shown}</div></div>'
    )


def _marked(before: str, after: str) -> list[str]:
    """Both texts as HTML."""
    html = []
    for pieces, (colour, line) in zip(differing_words(before, after), _MARKS, strict=True):
        style = f"background:rgba({colour},0.25);border-bottom:2px {line} rgb({colour})"
        html.append(
            "".join(
                f'<span style="{style}">{escape(piece)}</span>'
                if differs and piece.strip()
                else escape(piece)
                for piece, differs in pieces
            )
        )
    return html


def _heading(change: AnswerChange) -> str:
    return (
        f"{change.task}, {change.split} example {change.index}: score {change.score_before:.2f} → "
        f"{change.score_after:.2f}"
    )


def _likelihood(change: AnswerChange) -> str:
    return (
        f"The right answer's negative log-likelihood: {change.nll_before:.2f} → "
        f"{change.nll_after:.2f} nats per token."
    )


def _words(change: AnswerChange) -> str:
    return (
        f"{_heading(change)}. Prompt: {change.prompt!r}. Right answer: {change.answer!r}. "
        f"{stage_name(change.stage_before).capitalize()}: {change.prediction_before!r}. "
        f"{stage_name(change.stage_after).capitalize()}: {change.prediction_after!r}. "
        f"{_likelihood(change)}"
    )
