"""What an answer depends on: a prompt's tokens as coloured text, and how far that drifts."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.plots import theme

if TYPE_CHECKING:  # captum is imported where attributions are computed, not where they are shown
    from fggm_lab.attribution import TokenAttribution

_FOR, _AGAINST = "0,114,178", "213,94,0"
"""Blue speaks for the answer, vermillion against it (Okabe and Ito)."""
_DEEPEST = 0.65
"""The opacity of the strongest token's background; text stays readable on it."""


class TokenText:
    """A prompt whose tokens are coloured by their scores, in a notebook; plain text elsewhere."""

    def __init__(self, html: str, text: str) -> None:
        self.html, self.text = html, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def token_text(attribution: "TokenAttribution", of: int | None = None) -> TokenText:
    """The prompt's tokens, blue where they speak for the answer, vermillion against it.

    Tokens that speak against are underlined with dots, so that colour does not stand alone; the
    number is in each token's tooltip.

    Args:
        attribution: of one example.
        of: the place of one answer token; by default the whole answer.

    Raises:
        SettingError: the answer has no such token.
    """
    scores, answer = _chosen(attribution, of)
    most = _loudest(scores)
    words = describe_attribution(attribution, of)
    below = f"{_scale(most, answer)}{_line(_adding_up(attribution, of))}"
    return TokenText(_framed(f"{_spans(attribution, scores, most)}{below}", words), words)


def token_comparison(
    before: "TokenAttribution",
    after: "TokenAttribution",
    names: tuple[str, str] = ("before", "after"),
) -> TokenText:
    """One prompt under two states of a model, one below the other, on one colour scale.

    Args:
        before, after: of one example, say before and after a task.
        names: what to call the two states.

    Raises:
        DataError: they are of different tokens.
    """
    words = describe_comparison(before, after, names)
    most = max(_loudest(each.total.tolist()) for each in (before, after))
    parts = []
    for name, each in zip(names, (before, after), strict=True):
        scores, answer = _chosen(each, None)
        said = f"{name}: {sum(scores):+.2f} nats. {_adding_up(each, None)}"
        parts += [_line(said, bold=True), _spans(each, scores, most)]
    drift = _line(_drifted(before, after))
    return TokenText(_framed(f"{''.join(parts)}{_scale(most, answer)}{drift}", words), words)


def describe_comparison(
    before: "TokenAttribution",
    after: "TokenAttribution",
    names: tuple[str, str] = ("before", "after"),
) -> str:
    """The comparison in words: each state's loudest tokens, and how far the two are apart."""
    said = " ".join(
        f"{name[:1].upper()}{name[1:]}: {describe_attribution(each)}"
        for name, each in zip(names, (before, after), strict=True)
    )
    return f"{said} {_drifted(before, after)}"


def describe_attribution(
    attribution: "TokenAttribution", of: int | None = None, most: int = 5
) -> str:
    """The same in words: the tokens that speak loudest for and against the answer.

    Args:
        attribution, of: as for `token_text`.
        most: how many of each to name.
    """
    scores, answer = _chosen(attribution, of)
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    sides = {
        "for it": [i for i in order[:most] if scores[i] > 0],
        "against it": [i for i in order[::-1][:most] if scores[i] < 0],
    }
    said = "; ".join(
        f"{side}: " + ", ".join(f"{attribution.prompt[i]!r} {scores[i]:+.2f}" for i in places)
        for side, places in sides.items()
        if places
    )
    return (
        f"“{answer}” gains {sum(scores):+.2f} nats from {len(scores)} prompt tokens "
        f"({attribution.method}). Loudest {said or 'none'}. {_adding_up(attribution, of)}"
    ).strip()


def drift_curve(rows: Sequence[Mapping[str, Any]], reference: str) -> go.Figure:
    """How far a model's attention to tokens has moved from what it was after one task.

    Args:
        rows: what `fggm_lab.attribution.drift_along` returned.
        reference: the task whose state they are compared with.

    Raises:
        SettingError: there are no rows.
    """
    if not rows:
        raise SettingError("there are no rows to draw; give what drift_along returned")
    names = [row["after"] or "before training" for row in rows]
    figure = go.Figure(
        go.Scatter(
            x=names, y=[row["drift"] for row in rows], mode="lines+markers",
            error_y={"array": [row["sd"] or 0 for row in rows], "thickness": 1, "width": 3},
            line={"color": theme.BLUE}, marker={"size": 8}, showlegend=False,
            hovertemplate="%{x}: %{y:.3f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title_text="state of the model: after …", type="category")
    figure.update_yaxes(title_text="attribution drift (1 − cosine)", rangemode="tozero")
    figure.update_layout(height=420, hovermode="closest")
    caption = (
        f"How far the prompt tokens that {reference}'s answers depend on differ from those right "
        f"after {reference} was learned: 0 the same tokens, 1 unrelated ones, 2 the opposite. Bars "
        "are the spread over examples."
    )
    return theme.finish(figure, f"What {reference} is answered by", caption,
                        describe_drift_curve(rows, reference))  # fmt: skip


def describe_drift_curve(rows: Sequence[Mapping[str, Any]], reference: str) -> str:
    """The figure in words: the drift in every state of the model that was measured.

    Args:
        rows, reference: as for `drift_curve`.
    """
    text = ", ".join(
        f"{row['after'] or 'before training'} {row['drift']:.2f}"
        for row in rows
        if row["drift"] is not None
    )
    return f"Attribution drift from the state after {reference}: {text}."


def _chosen(attribution: "TokenAttribution", of: int | None) -> tuple[list[float], str]:
    """The scores of the prompt's tokens, and the text they are scores for."""
    if of is None:
        return attribution.total.tolist(), "".join(attribution.answer[:-1]).replace("\n", "⏎")
    if not 0 <= of < len(attribution.answer):
        raise SettingError(
            f"of is {of}; the answer has the tokens 0 to {len(attribution.answer) - 1}"
        )
    return attribution.scores[of].tolist(), attribution.answer[of]


def _adding_up(attribution: "TokenAttribution", of: int | None) -> str:
    """How far integrated gradients are from complete; of ablation nothing, it need not be."""
    if attribution.method != "gradients":
        return ""
    if of is None:
        return f"Scores add up to within {attribution.delta:.2g} nats per answer token."
    gap = abs(float(attribution.scores[of].sum() - attribution.difference[of]))
    return f"Scores add up to within {gap:.2g} nats."


def _drifted(before: "TokenAttribution", after: "TokenAttribution") -> str:
    drift = before.drift_to(after)
    if drift is None:
        return "There is no drift to tell: one of the two is zero everywhere."
    return f"Drift {drift:.2f} (0 the same tokens, 1 unrelated ones, 2 the opposite)."


def _loudest(scores: Sequence[float]) -> float:
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


def _spans(attribution: "TokenAttribution", scores: Sequence[float], most: float) -> str:
    tokens = zip(attribution.prompt, scores, strict=True)
    return "".join(_span(token, score, most) for token, score in tokens)


def _scale(most: float, answer: str) -> str:
    return (
        f'<div style="font-size:12px;margin-top:6px">{_span("−", -most, most)} {-most:.2f} nats · '
        f"0 · +{most:.2f} nats {_span('+', most, most)} for “{escape(answer)}”</div>"
    )


def _span(token: str, score: float, most: float) -> str:
    colour = _FOR if score >= 0 else _AGAINST
    line = "" if score >= 0 else "border-bottom:2px dotted;"
    shown = escape(token).replace("\n", "⏎\n")
    return (
        f'<span title="{score:+.3f}" style="{line}border-radius:3px;padding:1px 0;'
        f'background:rgba({colour},{_DEEPEST * abs(score) / most:.2f})">{shown}</span>'
    )
