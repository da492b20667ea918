"""Spectra of whole models in one panel: do two tasks or estimators have equally unequal scores?"""

from collections.abc import Mapping
from itertools import combinations
from statistics import fmean

import numpy as np
import plotly.graph_objects as go

from fggm_lab.fisher.concentration import all_units, lorenz
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import Mask, overlap_coefficient
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.lorenz_curves import share_held
from fggm_lab.plots.score_histograms import SCORE, by_name
from fggm_lab.plots.styles import Style, line_styles
from fggm_lab.plots.thinning import MAX_POINTS, thin_sorted

TOP = 0.1
"""The share of units whose overlap the words report."""


def spectra_overlaid(
    scores: FisherScores | Mapping[str, FisherScores], controls: bool = True
) -> go.Figure:
    """All units' scores, sorted, one curve per task or estimator.

    Args:
        scores: by name: of several tasks, or of one task under several estimators.
        controls: draw a switch between a logarithmic and a linear axis of units into the figure.

    Returns:
        The figure: score against rank, both on log axes.

    Raises:
        SettingError: there are no scores.
        DataError: a score is negative or not finite.
    """
    scores_by_name = by_name(scores)
    units = {name: all_units(task_scores) for name, task_scores in scores_by_name.items()}
    figure = go.Figure()
    styles = line_styles(list(units))
    for name, values in units.items():
        figure.add_trace(_curve(name, values, MAX_POINTS // len(units), styles[name]))
    min_share = min(1 / len(values) for values in units.values())
    figure.update_xaxes(title_text="units, highest score first (share of all units)", type="log",
                        range=[np.log10(min_share), 0], tickformat=".2~p", dtick=1)  # fmt: skip
    figure.update_yaxes(title_text=SCORE, type="log", **theme.POWERS)
    figure.update_layout(height=420, hovermode="closest")
    if controls:
        _add_switch(figure, min_share)
    return finish(
        figure,
        "Fisher spectra of the whole model",
        _caption(scores_by_name, units),
        _describe(scores_by_name, units),
    )


def _curve(name: str, values: np.ndarray, max_points: int, style: Style) -> go.Scatter:
    """Scores of 0 end a curve; half its points are spaced evenly on each of the two axes."""
    above = values[values > 0]
    indices = np.union1d(
        thin_sorted(above, max_points // 2)[0], thin_sorted(above, max_points // 2, "log")[0]
    )
    return go.Scatter(
        x=(indices + 1) / len(values), y=above[indices], mode="lines", name=name,
        meta={"name": name}, line={"color": style.colour, "dash": style.dash, "width": 2},
        hovertemplate=f"<b>{as_label(name)}</b><br>the top %{{x:.3%}} of units score "
        "%{y:.2e} or more"
        "<extra></extra>",
    )  # fmt: skip


def _add_switch(figure: go.Figure, min_share: float) -> None:
    scales = {"log": ([float(np.log10(min_share)), 0], 1), "linear": ([0, 1], 0.1)}
    buttons = [
        {"method": "relayout", "label": f"units on a {kind} axis",
         "args": [{"xaxis.type": kind, "xaxis.range": ends, "xaxis.dtick": step}]}
        for kind, (ends, step) in scales.items()
    ]  # fmt: skip
    figure.update_layout(updatemenus=[{**theme.MENU, "buttons": buttons}])
    theme.raise_top(figure, theme.MENU_ROW)


def _common_origin(scores_by_name: Mapping[str, FisherScores]) -> str:
    """The estimator and the task, where all scores have them in common."""
    estimators = {task_scores.info.estimator for task_scores in scores_by_name.values()}
    tasks = {task_scores.info.task for task_scores in scores_by_name.values()}
    text = f"{estimators.pop().capitalize()} Fisher" if len(estimators) == 1 else "Fisher scores"
    return text + (f" on {task}" if len(tasks) == 1 and (task := tasks.pop()) else "")


def _caption(scores_by_name: Mapping[str, FisherScores], units: Mapping[str, np.ndarray]) -> str:
    text = (
        f"{_common_origin(scores_by_name)}: all units, highest score first. Curves that lie "
        "together are equally unequal; whether they rank the same units high they do not say."
    )
    zero = [float((values == 0).mean()) for values in units.values()]
    if any(zero):
        low, high = theme.percent(min(zero)), theme.percent(max(zero))
        text += f" {low if low == high else f'{low} to {high}'} of the units score exactly 0, "
        text += "which a log axis cannot show: there a curve ends early."
    if max(len(values) for values in units.values()) > MAX_POINTS // len(units):
        text += " Drawn: maximum, median and minimum of stretches of the sorted scores."
    return text


def _describe(scores_by_name: Mapping[str, FisherScores], units: Mapping[str, np.ndarray]) -> str:
    sentences = [
        f"{name}: {len(values):,} units, total score {values.sum():.2e}, highest "
        f"{values[0]:.1e}, median {np.median(values):.1e}; the top {theme.percent(TOP)} hold "
        f"{theme.percent(share_held(lorenz(values), TOP))}."
        for name, values in units.items()
    ]
    return " ".join([*sentences, *_overlap_sentences(scores_by_name)])


def _overlap_sentences(scores_by_name: Mapping[str, FisherScores]) -> list[str]:
    """How far the highest units of every two spectra are the same ones, where they can be."""
    sizes = [
        {n: s.numel() for n, s in task_scores.units.items()}
        for task_scores in scores_by_name.values()
    ]
    if len(scores_by_name) < 2 or any(size != sizes[0] for size in sizes):
        return []
    tops = {
        name: Mask.top(task_scores, TOP, "global") for name, task_scores in scores_by_name.items()
    }
    overlaps = {
        f"{a} and {b}": overlap
        for a, b in combinations(tops, 2)
        if (overlap := overlap_coefficient(tops[a], tops[b])) is not None
    }
    if not overlaps:
        return []
    text = f"Of their top {theme.percent(TOP)} of units, "
    if len(overlaps) == 1:
        text += f"{next(iter(overlaps))} share {theme.percent(next(iter(overlaps.values())))}"
    else:
        lowest, highest = (
            min(overlaps, key=overlaps.__getitem__),
            max(overlaps, key=overlaps.__getitem__),
        )
        text += (
            f"two share {theme.percent(fmean(overlaps.values()))} on average, from "
            f"{theme.percent(overlaps[lowest])} ({lowest}) to "
            f"{theme.percent(overlaps[highest])} ({highest})"
        )
    return [f"{text}; chance would give {theme.percent(TOP)}."]
