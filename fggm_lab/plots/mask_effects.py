"""The effect of zeroing or freezing units: each task's score and likelihood before and after."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.score_curves import GENERAL
from fggm_lab.plots.styles import BLUE, GREY, OCHRE

if TYPE_CHECKING:
    from fggm_lab.training.effects import Effect, Measured

_BAR_STYLES = ((GREY, ""), (OCHRE, "/"), (BLUE, "."))
"""Colour and pattern of bars: before, the control, after."""


class _Side(NamedTuple):
    """One of the states whose bars are drawn side by side."""

    name: str
    scores: "Measured"
    colour: str
    pattern: str


def mask_effects(effect: "Effect") -> go.Figure:
    """Every task's score, and its answers' likelihood, before and after, side by side.

    Freezing is shown beside the same training with every unit free.

    Args:
        effect: what `zeroing` or `freezing` returned.

    Returns:
        The figure: a panel of scores, and below it one of likelihoods.
    """
    figure = make_subplots(
        2, 1, shared_xaxes=True, vertical_spacing=0.12,
        subplot_titles=["<b>Score</b>", "<b>Negative log-likelihood of the right answers</b>"],
    )  # fmt: skip
    figure.update_annotations(x=0, xanchor="left", font_size=theme.TEXT)
    loss = effect.general_better == "lower"
    for side in _sides(effect):
        tasks = side.scores.tasks
        general = [] if side.scores.general is None else [(GENERAL, side.scores.general)]
        scores = [(name, score.score) for name, score in tasks.items()]
        nll = [(name, score.nll) for name, score in tasks.items()]
        _add_bars(figure, 1, side, scores if loss else scores + general, theme.SCORE)
        _add_bars(figure, 2, side, nll + general if loss else nll, theme.NLL)
    figure.update_yaxes(title_text="score (0–1)", range=[0, 1.13], row=1, col=1,
                        tickvals=[0, 0.25, 0.5, 0.75, 1])  # fmt: skip
    figure.update_yaxes(title_text="nats per token", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(showgrid=False, ticks="")
    figure.update_xaxes(title_text="task", autotickangles=[0, 30, 90], row=2, col=1)
    figure.update_layout(
        height=520, barmode="group", bargap=0.25, bargroupgap=0.08,
        uniformtext={"minsize": 8, "mode": "hide"},
        margin={"t": 28},
    )  # fmt: skip
    zeroed = f"{effect.unit[0].upper()}{effect.unit[1:]} at zero"
    title = zeroed if effect.action == "zeroing" else "Units held still"
    return finish(figure, title, _caption(effect), _describe(effect))


def _describe(effect: "Effect") -> str:
    """How many units were zeroed or frozen, and every task's score before and after."""
    sides = _sides(effect)
    done = f"{effect.off:,} of {effect.units:,} {effect.unit}"
    if effect.action == "zeroing":
        sentences = [f"{done} set to zero."]
    else:
        sentences = [f"{effect.trained} trained for {effect.steps} steps with {done} frozen."]
    for name in effect.before.tasks:
        rows = [side.scores.tasks[name] for side in sides]
        sentences.append(
            f"{name}: score {_values_text([row.score for row in rows], sides)}, "
            f"NLL {_values_text([row.nll for row in rows], [])}."
        )
    abilities = [side.scores.general for side in sides]
    if None not in abilities:
        what = GENERAL if effect.general_better == "higher" else f"{GENERAL} (a loss)"
        sentences.append(f"{what}: {_values_text([a for a in abilities if a is not None], sides)}.")
    return " ".join(sentences)


def _sides(effect: "Effect") -> list[_Side]:
    after = f"{effect.unit} at zero" if effect.action == "zeroing" else "trained with units frozen"
    named = [("before", effect.before), ("trained with all units", effect.free),
             (after, effect.after)]  # fmt: skip
    return [
        _Side(name, scores, *bar_style)
        for (name, scores), bar_style in zip(named, _BAR_STYLES, strict=True)
        if scores is not None
    ]


def _add_bars(
    figure: go.Figure, row: int, side: _Side, bars: Sequence[tuple[str, float]], number_format: str
) -> None:
    """One side's bars in one panel."""
    figure.add_bar(
        x=[name for name, _ in bars], y=[value for _, value in bars], name=side.name,
        legendgroup=side.name, showlegend=row == 1,
        marker={"color": side.colour, "line": {"width": 0},
                "pattern": {"shape": side.pattern, "size": 5, "solidity": 0.25,
                            "fillmode": "overlay", "fgcolor": "#ffffff"}},
        texttemplate="%{y:.2f}", textposition="outside", textfont={"size": 10}, cliponaxis=False,
        hovertemplate=f"<b>%{{x}}</b><br>{side.name}: %{{y:{number_format}}}<extra></extra>",
        row=row, col=1,
    )  # fmt: skip


def _values_text(values: Sequence[float], sides: Sequence[_Side]) -> str:
    """`0.93 before, 0.41 units at zero`, or without names `0.07 → 1.35`."""
    if not sides:
        return " → ".join(f"{value:.2f}" for value in values)
    return ", ".join(f"{value:.2f} {side.name}" for value, side in zip(values, sides, strict=True))


def _caption(effect: "Effect") -> str:
    counts = {score.examples for score in effect.before.tasks.values()}
    size = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"
    share = theme.percent(effect.off / effect.units)
    done = f"{effect.off:,} of {effect.units:,} {effect.unit} ({share})"
    if effect.action == "zeroing":
        text = f"Every task before, and with {done} set to zero."
    else:
        text = (
            f"Every task before, and after {effect.steps} steps on {effect.trained}: with every "
            f"unit free, and with {done} frozen."
        )
    return (
        f"{text} {size} examples of each task, so one answer more is {1 / min(counts):.2f} of "
        "score; the likelihood moves before the score does. Lower is better there."
    )
