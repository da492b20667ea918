"""Does a model forget as far as it has moved? Forgetting against the divergence from the start."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.checks import check_choice
from fggm_lab.errors import RunError
from fggm_lab.fisher.ranks import rank_correlation
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.score_curves import run_labels
from fggm_lab.plots.styles import method_styles
from fggm_lab.runs import Run, RunsLike, as_runs
from fggm_lab.runs.compare import check_comparable, group_labels
from fggm_lab.runs.metrics import forgetting_along
from fggm_lab.runs.trajectories import general_after_tasks

Texts = Literal["own_samples", "new_task"]
"""On what the divergence is measured: texts the untrained model drew, or the new task."""

_MEASURES = {"general_lost": "General lost", "forgetting": "forgetting"}
_ON = {"own_samples": "texts of the untrained model", "new_task": "the new task"}
_PANEL = 300


class DistancePoint(NamedTuple):
    """A run after one of its tasks.

    Attributes:
        label: the run's method, with settings where those tell methods apart.
        run: the run's own name.
        task: the task learned last.
        distance: KL(untrained ‖ model), nats per token.
        general_lost: by how much General is worse than before training; None if not measured.
        forgetting: of the tasks so far, 0 to 1; None after the first.
    """

    label: str
    run: str
    task: str
    distance: float
    general_lost: float | None
    forgetting: float | None


def forgetting_against_distance(runs: RunsLike, texts: Texts = "own_samples") -> go.Figure:
    """What runs lost after each task, against how far their models had moved (arXiv 2509.04259).

    Args:
        runs: a run, a folder of runs or several of either, over the same tasks, trained with
            `distance_samples`.
        texts: on what the divergence is measured, `own_samples` or `new_task`.

    Returns:
        The figure: a panel for General lost, where General is measured, and one for forgetting.

    Raises:
        SettingError: `texts` is neither.
        RunError: runs that cannot be compared, or none that measured its distance.
    """
    check_choice("texts", texts, Texts)
    points = distance_points(as_runs(runs), texts)
    panels = [key for key in _MEASURES if any(getattr(p, key) is not None for p in points)]
    if not panels:
        raise RunError(
            "no run measured its distance and what it lost; train two tasks or more with "
            "distance_samples=64 (fggm-lab run --distance-samples 64)"
        )
    figure = make_subplots(len(panels), 1, shared_xaxes=True, vertical_spacing=0.06)
    names = list(dict.fromkeys(point.label for point in points))
    styles = method_styles(names)
    for panel, key in enumerate(panels, start=1):
        for name in names:
            shown = [p for p in points if p.label == name and getattr(p, key) is not None]
            if shown:
                figure.add_scatter(
                    x=[p.distance for p in shown], y=[getattr(p, key) for p in shown],
                    mode="markers", name=name, legendgroup=name, showlegend=panel == 1,
                    meta={"name": name}, customdata=[_hover(p, key) for p in shown],
                    hovertemplate="%{customdata}<extra></extra>", row=panel, col=1,
                    marker={"color": styles[name].colour, "symbol": styles[name].symbol,
                            "size": 9, "opacity": 0.8},
                )  # fmt: skip
        figure.update_yaxes(title_text=f"{_MEASURES[key]}<br>after each task", row=panel, col=1)
    figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(
        title_text=f"KL(untrained ‖ model) on {_ON[texts]}, nats per token", row=len(panels), col=1
    )
    figure.update_layout(
        height=_PANEL * len(panels) + 70, hovermode="closest", margin={"l": 84, "t": 28},
        showlegend=True,
    )  # fmt: skip
    return finish(figure, "Forgetting against distance", _caption(texts), _describe(points, panels))


def distance_points(runs: Sequence[Run], texts: Texts) -> list[DistancePoint]:
    """The numbers of `forgetting_against_distance`: every run after each task that it measured.

    Args:
        runs: over the same tasks.
        texts: on what the divergence is measured.

    Returns:
        A point for each run and task with a distance.

    Raises:
        RunError: runs that cannot be compared.
    """
    check_comparable(runs)
    points = []
    for run, label, name in zip(runs, group_labels(runs), run_labels(runs), strict=True):
        scores = run.scores
        if scores is None:
            continue
        after, before = general_after_tasks(run), scores.general["before"]
        forgotten = forgetting_along(scores.matrix)
        sign = -1 if scores.general["better"] == "lower" else 1
        for event in run.events("task"):
            if "distance" not in event:
                continue
            index, general = event["task"], after[event["task"]]
            lost = None if before is None or general is None else sign * (before - general)
            points.append(
                DistancePoint(
                    label, name, event["name"], event["distance"][texts], lost,
                    forgotten[index],
                )
            )  # fmt: skip
    return points


def _hover(point: DistancePoint, key: str) -> str:
    return (
        f"<b>{as_label(point.run)}</b> after {as_label(point.task)}<br>"
        f"KL {point.distance:.4f} nats per token<br>"
        f"{_MEASURES[key]} {getattr(point, key):+.3f}"
    )


def _caption(texts: Texts) -> str:
    drawn = (
        "texts that the untrained model drew itself"
        if texts == "own_samples"
        else "answers to the inputs of the task just learned"
    )
    return (
        "A point is a run after one of its tasks. Right: its predictions are farther from the "
        f"untrained model's, on {drawn}; up: it has lost more. Points of one run are not "
        "independent."
    )


def _describe(points: Sequence[DistancePoint], panels: Sequence[str]) -> str:
    sentences = []
    for key in panels:
        pairs = [(p.distance, value) for p in points if (value := getattr(p, key)) is not None]
        distances, losses = zip(*pairs, strict=True)
        count = f"{len(pairs)} point{'' if len(pairs) == 1 else 's'}"
        text = (
            f"{_MEASURES[key]}, {count}: from {min(losses):+.2f} to {max(losses):+.2f}, "
            f"KL {min(distances):.3f} to {max(distances):.3f} nats per token"
        )
        rho = rank_correlation(distances, losses) if len(pairs) > 2 else None
        text += "." if rho is None else f", rank correlation {rho:+.2f}."
        sentences.append(text[0].upper() + text[1:])
    return " ".join(sentences)
