"""How many examples of each task a model answers worse, and how many better, at a later stage."""

from collections.abc import Sequence

import plotly.graph_objects as go

from fggm_lab.errors import DataError
from fggm_lab.plots.finish import finish
from fggm_lab.plots.styles import BLUE, VERMILLION
from fggm_lab.runs.forgotten import AnswerChange, select_changes, stage_name

_SIDES = (("score fell", VERMILLION, "/"), ("score rose", BLUE, ""))
"""Name, colour and pattern of the bars."""


def answer_changes(
    changes: Sequence[AnswerChange], tasks: Sequence[str] | None = None
) -> go.Figure:
    """How many examples of each task were lost between two stages, and how many gained.

    Args:
        changes: all examples, `forgotten_examples(run, change="all")`.
        tasks: the names of tasks in the order of the bars, as `run.config.task_names` has them;
            None: that of the examples.

    Returns:
        The figure: bars by task.

    Raises:
        DataError: there is no example.
    """
    if not changes:
        raise DataError("there is no example to count; give those of forgotten_examples")
    by_task = _by_task(changes)
    order = [task for task in tasks or by_task if task in by_task]
    counts = {task: _counts(by_task[task]) for task in order}
    figure = go.Figure()
    for side, (name, colour, pattern) in enumerate(_SIDES):
        figure.add_bar(
            x=order, y=[counts[task][side] for task in order], name=name,
            marker={"color": colour, "line": {"width": 0},
                    "pattern": {"shape": pattern, "size": 5, "solidity": 0.25,
                                "fillmode": "overlay", "fgcolor": "#ffffff"}},
            texttemplate="%{y}", textposition="outside", textfont={"size": 10}, cliponaxis=False,
            customdata=[counts[task][2] for task in order],
            hovertemplate=f"<b>%{{x}}</b><br>{name}: %{{y}} of %{{customdata}} examples"
                          "<extra></extra>",
        )  # fmt: skip
    highest = max(max(lost, gained) for lost, gained, _ in counts.values())
    figure.update_yaxes(title_text="examples", range=[0, 1.15 * max(1, highest)])
    figure.update_xaxes(title_text="task", showgrid=False, ticks="", autotickangles=[0, 30, 90])
    figure.update_layout(height=290, barmode="group", bargap=0.25, bargroupgap=0.08)
    return finish(figure, "Answers lost and gained", _caption(changes), _describe(changes, counts))


def _by_task(changes: Sequence[AnswerChange]) -> dict[str, list[AnswerChange]]:
    by_task: dict[str, list[AnswerChange]] = {}
    for entry in changes:
        by_task.setdefault(entry.task, []).append(entry)
    return by_task


def _counts(changes: Sequence[AnswerChange]) -> tuple[int, int, int]:
    """How many scores fell, how many rose, and of how many examples."""
    fell = len(select_changes(changes, "lost"))
    rose = len(select_changes(changes, "gained"))
    return fell, rose, len(changes)


def _caption(changes: Sequence[AnswerChange]) -> str:
    before, after = (
        {entry.stage_before for entry in changes}, {entry.stage_after for entry in changes}
    )  # fmt: skip
    earlier = stage_name(before.pop()) if len(before) == 1 else "when its task was learned"
    later = stage_name(after.pop()) if len(after) == 1 else "later"
    return (
        f"Every example scored {earlier}, and again {later}: how many the model then answers "
        "worse, and how many better. The rest score the same."
    )


def _describe(changes: Sequence[AnswerChange], counts: dict[str, tuple[int, int, int]]) -> str:
    sentences = [
        f"{task}: of {total} examples {fell} score less and {rose} more"
        for task, (fell, rose, total) in counts.items()
    ]
    worst = min(changes, key=lambda entry: (entry.change, -entry.nll_rise))
    if worst.change < 0:
        sentences.append(
            f"The largest loss is {worst.task}'s {worst.split} example {worst.index}, from "
            f"{worst.score_before:.2f} to {worst.score_after:.2f}"
        )
    return ". ".join(sentences) + "."
