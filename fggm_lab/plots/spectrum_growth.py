"""Growth of a spectrum: how the Fisher information changes while a task is trained."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.fisher.concentration import all_units, gini
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.score_histograms import SCORE
from fggm_lab.plots.styles import BLUE, DASHES, Style, depth_colour
from fggm_lab.plots.thinning import MAX_POINTS

QUANTILES = {"highest unit": 1.0, "top 1 %": 0.99, "top 10 %": 0.9, "top 25 %": 0.75,
             "median unit": 0.5, "bottom 25 %": 0.25}  # fmt: skip
"""Name of a line → the quantile of the units' scores that it shows."""
_SYMBOLS = ("star", "diamond", "triangle-up", "square", "circle", "triangle-down")


class Growth(NamedTuple):
    """A spectrum at each training step.

    Attributes:
        steps: ascending; 0 is before the task.
        total: (steps,) the sum of all unit scores.
        quantiles: (steps, len(QUANTILES)) of the unit scores.
        gini: (steps,) their Gini coefficient.
        measured: how many steps there are; more than `steps` holds if they were too many to draw.
    """

    steps: list[int]
    total: np.ndarray
    quantiles: np.ndarray
    gini: np.ndarray
    measured: int


def spectrum_growth(scores: Mapping[int, FisherScores], task: str | None = None) -> go.Figure:
    """Total Fisher information and quantiles of the unit scores, against the training step.

    Args:
        scores: training step → scores, as `Run.fisher_along` gives them; step 0 is before the task.
        task: the task being trained, for the title; by default the one the scores are of.

    Returns:
        The figure: the total at the left, quantiles of the units at the right.

    Raises:
        SettingError: there are no scores.
        DataError: a score is negative or not finite.
    """
    growth = growth_of(scores)
    figure = make_subplots(1, 2, horizontal_spacing=0.13,
                           subplot_titles=["all units together", "single units"])  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    total = Style(BLUE, "solid", "circle")
    figure.add_trace(_line(growth.steps, growth.total, "total score", total), 1, 1)
    last = len(QUANTILES) - 1
    for index, name in enumerate(QUANTILES):
        style = Style(depth_colour(last - index, last), DASHES[index], _SYMBOLS[index])
        figure.add_trace(_line(growth.steps, growth.quantiles[:, index], name, style), 1, 2)
    figure.data[0].showlegend = False
    figure.update_xaxes(title_text="training steps of the task", rangemode="tozero")
    figure.update_yaxes(**_axis(growth.total), row=1, col=1)
    figure.update_yaxes(**_axis(growth.quantiles), row=1, col=2)
    figure.update_yaxes(title_text="total Fisher score (nats² per weight²)", row=1, col=1)
    figure.update_yaxes(title_text=SCORE, row=1, col=2)
    figure.update_layout(height=400, hovermode="closest", margin={"t": 28})
    task_name = task or _task(scores)
    title = "Growth of the Fisher spectrum" + (f": {task_name}" if task_name else "")
    return finish(figure, title, _caption(scores, growth), _describe(growth))


def growth_of(scores: Mapping[int, FisherScores]) -> Growth:
    """The numbers of `spectrum_growth`.

    Args:
        scores: training step → scores.

    Returns:
        A value per step; of more steps than can be drawn some, evenly spaced.

    Raises:
        SettingError: there are no scores.
        DataError: a score is negative or not finite.
    """
    if not scores:
        raise SettingError(
            "there are no Fisher scores along the task; record them with run_sequence(…, "
            "fisher_points=4), or fggm-lab run --fisher-points 4"
        )
    all_steps = sorted(scores)
    max_steps = MAX_POINTS // (len(QUANTILES) + 1)
    indices = np.linspace(0, len(all_steps) - 1, min(len(all_steps), max_steps)).round().astype(int)
    steps = [all_steps[i] for i in indices]
    units = [all_units(scores[step]) for step in steps]
    return Growth(
        steps,
        np.array([values.sum() for values in units]),
        np.array([np.quantile(values, list(QUANTILES.values())) for values in units]),
        np.array([gini(values) for values in units]),
        len(all_steps),
    )


def _line(steps: list[int], values: np.ndarray, name: str, style: Style) -> go.Scatter:
    return go.Scatter(
        x=steps, y=[v if v > 0 else None for v in values.tolist()], mode="lines+markers",
        name=name, meta={"name": name}, cliponaxis=False,
        line={"color": style.colour, "dash": style.dash},
        marker={"symbol": style.symbol, "size": 8},
        hovertemplate=f"{name}, step %{{x:,}}: %{{y:.3e}}<extra></extra>",
    )  # fmt: skip


def _axis(values: np.ndarray) -> dict[str, Any]:
    """A log axis; from 0 and even where all values lie within a factor of three."""
    above = values[values > 0]
    if not above.size or above.max() < 3 * above.min():
        return {"rangemode": "tozero", "exponentformat": "power"}
    span = float(np.log10(above.max() / above.min()))
    return {"type": "log", **theme.POWERS, **({"dtick": int(span // 10) + 1} if span > 2 else {})}


def _task(scores: Mapping[int, FisherScores]) -> str | None:
    """The one task all scores are of."""
    tasks = {step_scores.info.task for step_scores in scores.values()}
    return tasks.pop() if len(tasks) == 1 else None


def _caption(scores: Mapping[int, FisherScores], growth: Growth) -> str:
    first = scores[growth.steps[0]].info
    text = (
        f"{first.estimator.capitalize()} Fisher of {first.examples:,} examples, scored with the "
        "weights as they were at each step"
        + (" (step 0: before the task)" if growth.steps[0] == 0 else "")
        + ". Right: a line shows the score that so many of the units reach."
    )
    if bool((growth.quantiles == 0).any()):
        text += " A log axis cannot show a score of exactly 0: there a line has a gap."
    if growth.measured > len(growth.steps):
        text += f" {len(growth.steps):,} of {growth.measured:,} steps are drawn, evenly spaced."
    return text


def _describe(growth: Growth) -> str:
    def step_text(index: int) -> str:
        return (
            f"at step {growth.steps[index]:,} the total score is {growth.total[index]:.2e}, the "
            f"highest unit's {growth.quantiles[index, 0]:.1e}, the median unit's "
            f"{growth.quantiles[index, list(QUANTILES).index('median unit')]:.1e}, the Gini "
            f"coefficient {growth.gini[index]:.2f}"
        )

    text = f"Growth of the Fisher spectrum: {step_text(0)}"
    if len(growth.steps) > 1:
        text += f"; {step_text(-1)}"
    peak = int(growth.total.argmax())
    if 0 < peak < len(growth.steps) - 1:
        text += f"; the total is highest at step {growth.steps[peak]:,}, {growth.total[peak]:.2e}"
    return f"{text}."
