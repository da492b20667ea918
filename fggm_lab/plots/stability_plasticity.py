"""The stability–plasticity plane: how well a method learns, against how well it keeps."""

from collections.abc import Sequence

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.plots import theme
from fggm_lab.runs import Run
from fggm_lab.runs.paths import MethodPath, Step, pareto_front, paths

NAMES = {"bwt": "BWT", "general": "General"}


def stability_plasticity(runs: Run | Sequence[Run], stability: str = "bwt") -> go.Figure:
    """Each method's path through the plane of learning accuracy and BWT (or General), task by task.

    Args:
        runs: over the same tasks; those of one method that differ in the seed alone are averaged.
        stability: `bwt` (backward transfer ÷ tasks − 1, of the tasks so far) or `general`.

    Raises:
        SettingError: `stability` is neither.
        RunError: runs that cannot be compared, or none has measured what the plane needs.
    """
    several = [runs] if isinstance(runs, Run) else list(runs)
    found = _measured(several, stability)
    loss = _is_loss(several, stability)
    figure = go.Figure()
    ends = _ends(found)
    front = [ends[i] for i in pareto_front([(s.learned, s.kept) for _, s in ends], loss)]
    styles = theme.method_styles([one.label for one in found])
    for one in found:
        figure.add_trace(_path(one, styles[one.label], stability, several[0].config.task_names))
    for one in found:
        figure.add_trace(_end(one, styles[one.label], stability))
    _add_front(figure, [step for _, step in front])
    steps = [step for one in found for step in one.steps]
    low, high = theme.padded(_reach([(s.kept, s.kept_sd) for s in steps]))
    figure.update_xaxes(
        title_text="learning accuracy, tasks so far (0–1)<br>→ learns better",
        range=theme.padded(_reach([(s.learned, s.learned_sd) for s in steps])),
    )
    figure.update_yaxes(
        title_text=_axis(stability, loss), range=[high, low] if loss else [low, high]
    )
    figure.update_layout(
        height=480, margin={"t": 40, "b": 72, "l": 76, "r": 24}, hovermode="closest",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )  # fmt: skip
    return theme.finish(
        figure, "Stability–plasticity plane", _caption(found, ends, stability),
        _describe(found, ends, [one for one, _ in front], stability, loss),
    )  # fmt: skip


def describe_stability_plasticity(runs: Run | Sequence[Run], stability: str = "bwt") -> str:
    """The figure in words: each method's end, and which of them no other beats.

    Args:
        runs, stability: as for `stability_plasticity`.
    """
    several = [runs] if isinstance(runs, Run) else list(runs)
    found = _measured(several, stability)
    loss = _is_loss(several, stability)
    ends = _ends(found)
    front = pareto_front([(step.learned, step.kept) for _, step in ends], loss)
    return _describe(found, ends, [ends[i][0] for i in front], stability, loss)


def _measured(runs: Sequence[Run], stability: str) -> list[MethodPath]:
    found = [one for one in paths(runs, stability) if one.steps]
    if not found:
        raise RunError(
            "no run has finished two tasks yet, as BWT asks; wait for the second task"
            if stability == "bwt"
            else "no run has finished a task and measured General; train with --general"
        )
    return found


def _is_loss(runs: Sequence[Run], stability: str) -> bool:
    return stability == "general" and any(
        scores.general["better"] == "lower" for run in runs if (scores := run.scores)
    )


def _ends(found: Sequence[MethodPath]) -> list[tuple[MethodPath, Step]]:
    """The ends that can be compared: those after as many tasks as any method has got to."""
    most = max(one.steps[-1].tasks for one in found)
    return [(one, one.steps[-1]) for one in found if one.steps[-1].tasks == most]


# Drawing


def _path(one: MethodPath, style: theme.Style, stability: str, tasks: Sequence[str]) -> go.Scatter:
    return go.Scatter(
        x=[step.learned for step in one.steps],
        y=[step.kept for step in one.steps],
        mode="lines+markers",
        name=one.label,
        legendgroup=one.label,
        showlegend=False,
        line={"color": style.colour, "dash": style.dash, "width": 1.5},
        marker={
            "color": style.colour,
            "size": 6,
            "symbol": [f"{style.symbol}-open" if i == 0 else style.symbol
                       for i in range(len(one.steps))],
        },
        customdata=[_hover(step, stability, tasks[step.tasks - 1]) for step in one.steps],
        hovertemplate=f"<b>{one.label}</b> %{{customdata}}<extra></extra>",
        meta={"part": "path"},
    )  # fmt: skip


def _end(one: MethodPath, style: theme.Style, stability: str) -> go.Scatter:
    last = one.steps[-1]
    return go.Scatter(
        x=[last.learned],
        y=[last.kept],
        error_x={"array": [last.learned_sd or 0], "thickness": 1.2, "width": 4},
        error_y={"array": [last.kept_sd or 0], "thickness": 1.2, "width": 4},
        mode="markers",
        name=one.label + (" (unfinished)" if one.unfinished else ""),
        legendgroup=one.label,
        marker={"color": style.colour, "symbol": style.symbol, "size": 14,
                "line": {"color": theme.INK, "width": 1}},
        customdata=[_hover(last, stability)],
        hovertemplate=f"<b>{one.label}</b> %{{customdata}}<extra></extra>",
        meta={"part": "end"},
    )  # fmt: skip


def _hover(step: Step, stability: str, task: str | None = None) -> str:
    def show(value: float, sd: float | None) -> str:
        return f"{value:.3f}" + ("" if sd is None else f" ± {sd:.3f}")

    after = f"after {_tasks(step.tasks)}" + (f" ({task})" if task else "")
    return (
        f"{after}<br>learning accuracy {show(step.learned, step.learned_sd)}<br>"
        f"{NAMES[stability]} {show(step.kept, step.kept_sd)}<br>{_seeds(step.seeds)}"
    )


def _reach(means: Sequence[tuple[float, float | None]]) -> list[float]:
    """Where the bars of means and their standard deviations end."""
    return [mean + sign * (sd or 0) for mean, sd in means for sign in (-1, 1)]


def _add_front(figure: go.Figure, front: Sequence[Step]) -> None:
    """A staircase through the ends on the front: what lies left of and below it is beaten."""
    line = {"color": theme.INK, "dash": "dash", "width": 1.5}
    figure.add_scatter(
        x=[step.learned for step in front], y=[step.kept for step in front],
        mode="lines+markers", line={**line, "shape": "vh"}, name="Pareto front", hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 22, "color": theme.INK, "line": {"width": 1.5}},
        meta={"part": "front"},
    )  # fmt: skip


def _axis(stability: str, loss: bool) -> str:
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
    found: Sequence[MethodPath], ends: Sequence[tuple[MethodPath, Step]], stability: str
) -> str:
    numbers = sorted({one.steps[-1].seeds for one in found})
    if numbers == [1]:
        spread = "One seed each, so no spread is known."
    else:
        low, high = numbers[0], numbers[-1]
        many = f"{high} seeds" if low == high else f"{low} to {high} seeds"
        spread = f"Means over {many}; bars are their sample standard deviation."
    text = (
        "Right is learning better, up is keeping more. Each path goes from the open marker, after "
        f"{_tasks(found[0].steps[0].tasks)}, to the large one, after "
        f"{_tasks(ends[0][1].tasks)}. {spread} Ringed and dashed: the Pareto front, the ends that "
        "no other method beats in both; a lead smaller than the spread is none."
    )
    unfinished = [
        one.label + (f" ({one.unfinished} of {one.seeds} seeds)" if one.seeds > 1 else "")
        for one in found
        if one.unfinished
    ]
    if unfinished:
        text += f" Unfinished: {', '.join(unfinished)}."
    behind = [one.label for one in found if one not in [method for method, _ in ends]]
    if behind:
        text += f" Not far enough for the front: {', '.join(behind)}."
    return text


def _describe(
    found: Sequence[MethodPath],
    ends: Sequence[tuple[MethodPath, Step]],
    front: Sequence[MethodPath],
    stability: str,
    loss: bool,
) -> str:
    what = NAMES[stability] + (" (a loss, lower is better)" if loss else "")
    said = []
    for one in found:
        last = one.steps[-1]
        state = ", unfinished" if one.unfinished else ""
        said.append(
            f"{one.label} (after {_tasks(last.tasks)}, {_seeds(last.seeds)}{state}): learning "
            f"accuracy {_number(last.learned, last.learned_sd)}, {NAMES[stability]} "
            f"{_number(last.kept, last.kept_sd)}"
        )
    text = f"Learning accuracy against {what}. {'; '.join(said)}."
    if len(ends) > 1:
        names = ", ".join(one.label for one in front)
        text += (
            f" On the Pareto front: {names}."
            if len(front) > 1
            else f" {names} is not beaten in either by any other."
        )
    return text


def _number(value: float, sd: float | None) -> str:
    return f"{value:.3f}" + ("" if sd is None else f" ± {sd:.3f}")
