"""The tokens of a prompt, coloured by how much an answer depends on them."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from fggm_lab.errors import SettingError

if TYPE_CHECKING:  # captum is imported where attributions are computed, not where they are shown
    from fggm_lab.attribution import TokenAttribution

_FOR, _AGAINST = "0,114,178", "213,94,0"
"""Red, green, blue of the backgrounds: Okabe and Ito's blue for the answer, vermillion against."""
_MAX_OPACITY = 0.65
"""The opacity of the highest score's background; text stays readable on it."""


class TokenText:
    """A text whose tokens or words are coloured, in a notebook; plain text elsewhere.

    Attributes:
        html: the coloured text, as a notebook shows it.
        text: the same in words.
    """

    def __init__(self, html: str, text: str) -> None:
        self.html, self.text = html, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def token_text(
    attribution: "TokenAttribution", of: int | None = None, max_named: int = 5
) -> TokenText:
    """The prompt's tokens, blue where they speak for the answer, vermillion against it.

    Tokens that speak against are underlined with dots, so that colour does not stand alone; the
    number is in each token's tooltip.

    Args:
        attribution: of one example, as `fggm_lab.attribution.attribute_tokens` returns it.
        of: the index of one answer token; by default the whole answer.
        max_named: how many tokens the text names for the answer, and how many against it.

    Returns:
        The coloured tokens; their text names those with the highest and the lowest scores.

    Raises:
        SettingError: the answer has no such token.
    """
    scores, answer = _scores_of(attribution, of)
    scale = _largest(scores)
    text = _describe(attribution, of, max_named)
    below = f"{_colour_key(scale, answer)}{_line(_completeness(attribution, of))}"
    return TokenText(_framed(f"{_spans(attribution, scores, scale)}{below}", text), text)


def token_comparison(
    before: "TokenAttribution",
    after: "TokenAttribution",
    names: tuple[str, str] = ("before", "after"),
) -> TokenText:
    """One prompt under two states of a model, one below the other, on one colour scale.

    Args:
        before: the attribution of one example, say before a task.
        after: that of the same example, say after the task.
        names: what to call the two states.

    Returns:
        The coloured tokens of both; their text describes each, and how far they are apart.

    Raises:
        DataError: they are of different tokens.
    """
    states = dict(zip(names, (before, after), strict=True))
    drift = _drift_sentence(before, after)
    text = " ".join(
        f"{name[:1].upper()}{name[1:]}: {_describe(attribution, None)}"
        for name, attribution in states.items()
    )
    text += f" {drift}"
    scale = max(_largest(attribution.total.tolist()) for attribution in states.values())
    parts = []
    for name, attribution in states.items():
        scores, answer = _scores_of(attribution, None)
        heading = f"{name}: {sum(scores):+.2f} nats. {_completeness(attribution, None)}"
        parts += [_line(heading, bold=True), _spans(attribution, scores, scale)]
    return TokenText(
        _framed(f"{''.join(parts)}{_colour_key(scale, answer)}{_line(drift)}", text), text
    )


def _describe(attribution: "TokenAttribution", of: int | None, max_named: int = 5) -> str:
    """The tokens that speak loudest for and against the answer."""
    scores, answer = _scores_of(attribution, of)
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    sides = {
        "for it": [i for i in order[:max_named] if scores[i] > 0],
        "against it": [i for i in order[::-1][:max_named] if scores[i] < 0],
    }
    loudest = "; ".join(
        f"{side}: " + ", ".join(f"{attribution.prompt[i]!r} {scores[i]:+.2f}" for i in indices)
        for side, indices in sides.items()
        if indices
    )
    return (
        f"“{answer}” gains {sum(scores):+.2f} nats from {len(scores)} prompt tokens "
        f"({attribution.method}). Loudest {loudest or 'none'}. {_completeness(attribution, of)}"
    ).strip()


def _scores_of(attribution: "TokenAttribution", of: int | None) -> tuple[list[float], str]:
    """The scores of the prompt's tokens, and the text they are scores for."""
    if of is None:
        return attribution.total.tolist(), "".join(attribution.answer[:-1]).replace("\n", "⏎")
    if not 0 <= of < len(attribution.answer):
        raise SettingError(
            f"of is {of}; the answer has the tokens 0 to {len(attribution.answer) - 1}"
        )
    return attribution.scores[of].tolist(), attribution.answer[of]


def _completeness(attribution: "TokenAttribution", of: int | None) -> str:
    """How far integrated gradients are from adding up; empty for ablation, which need not."""
    if attribution.method != "gradients":
        return ""
    if of is None:
        return f"Scores add up to within {attribution.delta:.2g} nats per answer token."
    gap = abs(float(attribution.scores[of].sum() - attribution.difference[of]))
    return f"Scores add up to within {gap:.2g} nats."


def _drift_sentence(before: "TokenAttribution", after: "TokenAttribution") -> str:
    drift = before.drift_to(after)
    if drift is None:
        return "There is no drift to tell: one of the two is zero everywhere."
    return f"Drift {drift:.2f} (0 the same tokens, 1 unrelated ones, 2 the opposite)."


def _largest(scores: Sequence[float]) -> float:
    return max((abs(score) for score in scores), default=0.0) or 1.0


def _framed(inner: str, words: str) -> str:
    return (
        f'<div role="img" aria-label="{escape(words)}" '
        'style="font-family:ui-monospace,monospace;line-height:1.9;white-space:pre-wrap">'
        f"{inner}</div>"
    )


def _line(text: str, bold: bool = False) -> str:
    """A small line of its own; nothing for an empty text."""
    weight = ";font-weight:600" if bold else ""
    style = f"font-size:12px;margin-top:6px{weight}"
    return f'<div style="{style}">{escape(text.strip())}</div>' if text else ""


def _spans(attribution: "TokenAttribution", scores: Sequence[float], scale: float) -> str:
    tokens = zip(attribution.prompt, scores, strict=True)
    return "".join(_span(token, score, scale) for token, score in tokens)


def _colour_key(scale: float, answer: str) -> str:
    return (
        f'<div style="font-size:12px;margin-top:6px">{_span("−", -scale, scale)} {-scale:.2f} '
        f"nats · 0 · +{scale:.2f} nats {_span('+', scale, scale)} for “{escape(answer)}”</div>"
    )


def _span(token: str, score: float, scale: float) -> str:
    colour = _FOR if score >= 0 else _AGAINST
    line = "" if score >= 0 else "border-bottom:2px dotted;"
    shown = escape(token).replace("\n", "⏎\n")
    return (
        f'<span title="{score:+.3f}" style="{line}border-radius:3px;padding:1px 0;'
        f'background:rgba({colour},{_MAX_OPACITY * abs(score) / scale:.2f})">{shown}</span>'
    )
