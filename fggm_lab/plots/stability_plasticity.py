"""The stability–plasticity plane: how well a method learns, against how well it keeps."""

from collections.abc import Sequence

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.styles import Style, method_styles
from fggm_lab.runs import NUMBERS, Run, RunsLike, as_runs
from fggm_lab.runs.trajectories import (
    Stability,
    Trajectory,
    TrajectoryPoint,
    method_trajectories,
    pareto_front,
)

_NUMBERS = {"bwt": NUMBERS["bwt_gem"], "general": NUMBERS["general_after"]}
NAMES = {name: number.short_label or number.label for name, number in _NUMBERS.items()}
"""Measure of stability → its name."""
_LEARNING = NUMBERS["learning_accuracy"].label


def stability_plasticity(runs: RunsLike, stability: Stability = "bwt") -> go.Figure:
    """Each method's path through the plane of learning accuracy and BWT (or General), task by task.

    Args:
        runs: a run, a folder of runs or several of either, over the same tasks; those
            of one method that differ in the seed alone are averaged.
        stability: `bwt` (backward transfer ÷ tasks − 1, of the tasks so far) or `general`.

    Returns:
        The figure: a path per method, and the Pareto front of their ends.

    Raises:
        SettingError: `stability` is neither.
        RunError: runs that cannot be compared, or none has measured what the plane needs.
    """
    run_list = as_runs(runs)
    trajectories = _measured(run_list, stability)
    loss = _is_loss(run_list, stability)
    figure = go.Figure()
    ends = _ends(trajectories)
    front = [ends[i] for i in pareto_front([(s.learned, s.retained) for _, s in ends], loss)]
    styles = method_styles([trajectory.label for trajectory in trajectories])
    for trajectory in trajectories:
        figure.add_trace(
            _path(trajectory, styles[trajectory.label], stability, run_list[0].config.task_names)
        )
    for trajectory in trajectories:
        figure.add_trace(_end(trajectory, styles[trajectory.label], stability))
    _add_front(figure, [step for _, step in front])
    steps = [step for trajectory in trajectories for step in trajectory.steps]
    low, high = theme.axis_range(_bar_ends([(s.retained, s.retained_sd) for s in steps]))
    figure.update_xaxes(
        title_text=f"{_LEARNING}, tasks so far (0–1)<br>→ learns better",
        range=theme.axis_range(_bar_ends([(s.learned, s.learned_sd) for s in steps])),
    )
    figure.update_yaxes(
        title_text=_axis(stability, loss), range=[high, low] if loss else [low, high]
    )
    figure.update_layout(
        height=450, margin={"l": 76, "r": 24}, hovermode="closest", showlegend=True
    )
    return finish(
        figure, "Stability–plasticity plane", _caption(trajectories, ends, stability),
        _describe(trajectories, ends, [trajectory for trajectory, _ in front], stability, loss),
    )  # fmt: skip


def _measured(runs: Sequence[Run], stability: Stability) -> list[Trajectory]:
    trajectories = [
        trajectory for trajectory in method_trajectories(runs, stability) if trajectory.steps
    ]
    if not trajectories:
        raise RunError(
            "no run has finished two tasks yet, as BWT asks; wait for the second task"
            if stability == "bwt"
            else "no run has finished a task and measured General; give run_sequence "
            "general=… (fggm-lab run --general)"
        )
    return trajectories


def _is_loss(runs: Sequence[Run], stability: Stability) -> bool:
    return stability == "general" and any(
        scores.general["better"] == "lower" for run in runs if (scores := run.scores)
    )


def _ends(trajectories: Sequence[Trajectory]) -> list[tuple[Trajectory, TrajectoryPoint]]:
    """The ends that can be compared: those after as many tasks as any method has got to."""
    max_tasks = max(trajectory.steps[-1].tasks for trajectory in trajectories)
    return [
        (trajectory, trajectory.steps[-1])
        for trajectory in trajectories
        if trajectory.steps[-1].tasks == max_tasks
    ]


# Drawing


def _path(
    trajectory: Trajectory, style: Style, stability: Stability, tasks: Sequence[str]
) -> go.Scatter:
    return go.Scatter(
        x=[step.learned for step in trajectory.steps],
        y=[step.retained for step in trajectory.steps],
        mode="lines+markers",
        name=trajectory.label,
        legendgroup=trajectory.label,
        showlegend=False,
        line={"color": style.colour, "dash": style.dash, "width": 1.5},
        marker={
            "color": style.colour,
            "size": 6,
            "symbol": [f"{style.symbol}-open" if i == 0 else style.symbol
                       for i in range(len(trajectory.steps))],
        },
        customdata=[_hover(step, stability, tasks[step.tasks - 1]) for step in trajectory.steps],
        hovertemplate=f"<b>{as_label(trajectory.label)}</b> %{{customdata}}<extra></extra>",
        meta={"part": "path"},
    )  # fmt: skip


def _end(trajectory: Trajectory, style: Style, stability: Stability) -> go.Scatter:
    last = trajectory.steps[-1]
    return go.Scatter(
        x=[last.learned],
        y=[last.retained],
        error_x={"array": [last.learned_sd or 0], "thickness": 1.2, "width": 4},
        error_y={"array": [last.retained_sd or 0], "thickness": 1.2, "width": 4},
        mode="markers",
        name=trajectory.label + (" (unfinished)" if trajectory.unfinished else ""),
        legendgroup=trajectory.label,
        marker={"color": style.colour, "symbol": style.symbol, "size": 14,
                "line": {"color": theme.INK, "width": 1}},
        customdata=[_hover(last, stability)],
        hovertemplate=f"<b>{as_label(trajectory.label)}</b> %{{customdata}}<extra></extra>",
        meta={"part": "end"},
    )  # fmt: skip


def _hover(step: TrajectoryPoint, stability: Stability, task: str | None = None) -> str:
    def value_text(value: float, sd: float | None) -> str:
        return f"{value:.3f}" + ("" if sd is None else f" ± {sd:.3f}")

    after = f"after {_tasks(step.tasks)}" + (f" ({as_label(task)})" if task else "")
    return (
        f"{after}<br>{_LEARNING} {value_text(step.learned, step.learned_sd)}<br>"
        f"{NAMES[stability]} {value_text(step.retained, step.retained_sd)}<br>{_seeds(step.seeds)}"
    )


def _bar_ends(means: Sequence[tuple[float, float | None]]) -> list[float]:
    """Where the bars of means and their standard deviations end."""
    return [mean + sign * (sd or 0) for mean, sd in means for sign in (-1, 1)]


def _add_front(figure: go.Figure, front: Sequence[TrajectoryPoint]) -> None:
    """A staircase through the ends on the front; what lies left of and below it is dominated."""
    line = {"color": theme.INK, "dash": "dash", "width": 1.5}
    figure.add_scatter(
        x=[step.learned for step in front], y=[step.retained for step in front],
        mode="lines+markers", line={**line, "shape": "vh"}, name="Pareto front", hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 22, "color": theme.INK, "line": {"width": 1.5}},
        meta={"part": "front"},
    )  # fmt: skip


def _axis(stability: Stability, loss: bool) -> str:
    if stability == "bwt":
        return "BWT (÷ tasks − 1), tasks so far<br>→ forgets less"
    if loss:
        return "General, loss in nats per token<br>(axis reversed) → keeps more"
    return "General (0–1), after the task<br>→ keeps more"


# Words


def _tasks(number: int) -> str:
    return f"{number} task" + ("s" if number > 1 else "")


def _seeds(number: int) -> str:
    return f"{number} seed" + ("s" if number > 1 else "")


def _caption(
    trajectories: Sequence[Trajectory],
    ends: Sequence[tuple[Trajectory, TrajectoryPoint]],
    stability: Stability,
) -> str:
    numbers = sorted({trajectory.steps[-1].seeds for trajectory in trajectories})
    if numbers == [1]:
        spread = "One seed each, so no spread is known."
    else:
        low, high = numbers[0], numbers[-1]
        seed_text = f"{high} seeds" if low == high else f"{low} to {high} seeds"
        spread = f"Means over {seed_text}; bars are their sample standard deviation."
    text = (
        "Right is learning better, up is keeping more. Each path goes from the open marker, after "
        f"{_tasks(trajectories[0].steps[0].tasks)}, to the large one, after "
        f"{_tasks(ends[0][1].tasks)}. {spread} Ringed and dashed: the Pareto front, the ends that "
        "no other method beats in both; a lead smaller than the spread is none."
    )
    unfinished = [
        trajectory.label
        + (
            f" ({trajectory.unfinished} of {trajectory.seeds} seeds)"
            if trajectory.seeds > 1
            else ""
        )
        for trajectory in trajectories
        if trajectory.unfinished
    ]
    if unfinished:
        text += f" Unfinished: {', '.join(unfinished)}."
    behind = [
        trajectory.label
        for trajectory in trajectories
        if trajectory not in [method for method, _ in ends]
    ]
    if behind:
        text += f" Not far enough for the front: {', '.join(behind)}."
    return text


def _describe(
    trajectories: Sequence[Trajectory],
    ends: Sequence[tuple[Trajectory, TrajectoryPoint]],
    front: Sequence[Trajectory],
    stability: Stability,
    loss: bool,
) -> str:
    what = NAMES[stability] + (" (a loss, lower is better)" if loss else "")
    method_texts = []
    for trajectory in trajectories:
        last = trajectory.steps[-1]
        state = ", unfinished" if trajectory.unfinished else ""
        method_texts.append(
            f"{trajectory.label} (after {_tasks(last.tasks)}, {_seeds(last.seeds)}{state}): "
            f"learning accuracy {_number(last.learned, last.learned_sd)}, {NAMES[stability]} "
            f"{_number(last.retained, last.retained_sd)}"
        )
    text = f"Learning accuracy against {what}. {'; '.join(method_texts)}."
    if len(ends) > 1:
        names = ", ".join(trajectory.label for trajectory in front)
        text += (
            f" On the Pareto front: {names}."
            if len(front) > 1
            else f" {names} is not beaten in either by any other."
        )
    return text


def _number(value: float, sd: float | None) -> str:
    return f"{value:.3f}" + ("" if sd is None else f" ± {sd:.3f}")
