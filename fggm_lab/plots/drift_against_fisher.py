"""How far units moved in training, against their Fisher scores on earlier tasks."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from torch import Tensor

from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher.concentration import check_finite
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.models.names import own_weight
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.styles import line_styles

BINS = 40


def drift_against_fisher(
    scores: Mapping[str, FisherScores], drift: Mapping[str, Tensor], bins: int = BINS
) -> go.Figure:
    """The mean movement of units, sorted by their Fisher scores on earlier tasks.

    All units of the model are sorted by their Fisher score on an earlier task and cut into bins of
    equally many. A line shows the mean movement of each bin: under a mask most units are frozen,
    so that a median would be 0. A single task also has the middle half of each bin as a band.

    Args:
        scores: of earlier tasks, by name.
        drift: parameter → (units,), how far each unit moved, as `Run.drift` gives it.
        bins: how many bins.

    Returns:
        The figure: a line per task, from the units with the highest scores to the lowest.

    Raises:
        SettingError: there are no scores, or more bins than units.
        DataError: scores and movements are of different units, or a score is not finite.
    """
    moved = _sorted_movements(scores, drift)
    bands = {name: _binned(movement, bins) for name, movement in moved.items()}
    figure = go.Figure()
    styles = line_styles(list(bands))
    for name, (low, mean, high, share) in bands.items():
        style = styles[name]
        x = (np.arange(bins) + 0.5) / bins
        red, green, blue = (int(style.colour[i : i + 2], 16) for i in (1, 3, 5))
        if len(bands) == 1:
            figure.add_scatter(
                x=np.concatenate([x, x[::-1]]), y=np.concatenate([high, low[::-1]]), fill="toself",
                fillcolor=f"rgba({red},{green},{blue},0.15)", line={"width": 0}, hoverinfo="skip",
                name=f"{name}: middle half", showlegend=False, legendgroup=name,
            )  # fmt: skip
        figure.add_scatter(
            x=x, y=mean, customdata=share, mode="lines", name=name, legendgroup=name,
            meta={"name": name},
            line={"color": style.colour, "dash": style.dash, "width": 2},
            hovertemplate="top %{x:.0%} by " + as_label(name) + ": mean %{y:.2e}, "
                          "%{customdata:.0%} of the units moved<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="units by Fisher score on the earlier task, highest first",
                        tickformat=".0%", range=[0, 1])  # fmt: skip
    figure.update_yaxes(title_text="how far a unit moved (length of its change)",
                        rangemode="tozero", exponentformat="power")  # fmt: skip
    figure.update_layout(height=400, hovermode="closest")
    caption = (
        "Left, the units that mattered most to an earlier task; a line that falls to the right "
        "says that those moved most. Lines are means of bins of equally many units"
        + ("; the band is the middle half." if len(bands) == 1 else ".")
    )
    return finish(figure, "Movement against earlier Fisher scores", caption, _describe(moved))


def _describe(movements: Mapping[str, np.ndarray]) -> str:
    sentences = []
    for name, moved in movements.items():
        tenth = max(1, len(moved) // 10)
        top, bottom = moved[:tenth].mean(), moved[-tenth:].mean()
        sentences.append(
            f"{name}: the tenth of units that mattered most moved {top:.2e} on average, the tenth "
            f"that mattered least {bottom:.2e}."
        )
    return " ".join(sentences)


def _binned(moved: np.ndarray, bins: int) -> np.ndarray:
    """(4, bins): lower quartile, mean, upper quartile, share moved; highest score first."""
    if not 1 <= bins <= len(moved):
        raise SettingError(f"bins is {bins}; {len(moved)} units make 1 to {len(moved)} bins")
    parts = np.array_split(moved, bins)
    rows = [
        (np.quantile(p, 0.25), p.mean(), np.quantile(p, 0.75), np.count_nonzero(p) / len(p))
        for p in parts
    ]
    return np.array(rows).T


def _sorted_movement(scores: FisherScores, drift: Mapping[str, Tensor]) -> np.ndarray:
    """Every unit's movement, sorted by falling Fisher score.

    The scores of an adapter are taken as those of the weight it was merged into.

    Args:
        scores: of one task.
        drift: parameter → (units,) movements.

    Returns:
        (units,) movements, that of the highest score first.

    Raises:
        DataError: scores and movements are of different units, or a score is not finite.
    """
    check_finite(scores.units.values())
    weights = {name: weight for name in scores.units if (weight := own_weight(name)) is not None}
    for name, weight in weights.items():
        if weight not in drift or drift[weight].numel() != scores.units[name].numel():
            raise DataError(
                f"the movement of {weight} is not of the units that were scored; take both from "
                "runs of one model"
            )
    values = np.concatenate([scores.units[name].numpy() for name in weights])
    moved = np.concatenate([drift[weight].double().numpy() for weight in weights.values()])
    return moved[np.argsort(-values, kind="stable")]


def _sorted_movements(
    scores: Mapping[str, FisherScores], drift: Mapping[str, Tensor]
) -> dict[str, np.ndarray]:
    """`_sorted_movement` for every task."""
    if not scores:
        raise SettingError(
            "there are no Fisher scores of earlier tasks; FGGM runs record them, or make them with "
            "fisher_scores"
        )
    return {name: _sorted_movement(task_scores, drift) for name, task_scores in scores.items()}
