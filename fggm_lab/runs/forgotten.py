"""Examples whose answers a run's model changed between two stages: lost, gained, or neither."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from fggm_lab.checks import check_choice
from fggm_lab.errors import RunError
from fggm_lab.runs.predictions import Prediction
from fggm_lab.runs.run import Run

Change = Literal["lost", "gained", "all"]
"""Which examples: those whose score fell, those whose score rose, or every one."""
CHANGES: tuple[Change, ...] = get_args(Change)

LEARNED: Final = "learned"
"""The stage right after an example's own task was trained."""
LAST: Final = "last"
"""The stage after the last finished task."""
UNTRAINED: Final = "untrained"
"""The stage before any training."""

_ROUNDING = 1e-9
"""Scores nearer to one another than this are equal."""

Stage = int | str | None
"""A state of a run's model: after a task (its index or name), `LEARNED`, `LAST`, or `UNTRAINED`,
for which None stands, too. A task of such a name is meant by its index."""


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """One example, as a run's model answered it at an earlier and at a later stage.

    Attributes:
        task, split, index: which example: the task's name, its split and the 0-based place there.
        prompt, answer: the example's own texts.
        stage_before, stage_after: the task trained last at either stage; None: untrained.
        prediction_before, prediction_after: the greedy answers.
        score_before, score_after: what the task's metric gives them, 0 to 1.
        nll_before, nll_after: negative log-likelihood of the right answer, nats per token.
    """

    task: str
    split: str
    index: int
    prompt: str
    answer: str
    stage_before: str | None
    stage_after: str | None
    prediction_before: str
    prediction_after: str
    score_before: float
    score_after: float
    nll_before: float
    nll_after: float

    @property
    def change(self) -> float:
        """By how much the score rose; negative where something was lost."""
        return self.score_after - self.score_before

    @property
    def nll_rise(self) -> float:
        """By how many nats per token the right answer became less likely."""
        return self.nll_after - self.nll_before


def forgotten_examples(
    run: Run,
    task: int | str | None = None,
    *,
    change: Change = "lost",
    before: Stage = LEARNED,
    after: Stage = LAST,
    text: str = "",
) -> list[AnswerChange]:
    """The examples that a run's model answered otherwise at a later stage, the largest loss first.

        for example in lab.forgotten_examples(run, "FOMC")[:5]:
            print(example.prompt, example.prediction_before, "→", example.prediction_after)

    Args:
        run: with stored predictions, finished or not.
        task: whose examples; None: those of every task for which `before` comes before `after` and
            that was scored at both.
        change: `lost` (the score fell), `gained` (it rose) or `all`.
        before: the earlier stage, by default right after the example's own task.
        after: the later stage, by default after the last finished task.
        text: only examples whose prompt, answer or predictions contain it, in whatever case.

    Returns:
        The examples, sorted by what their scores lost (for `gained`: gained), those of equal
        change by how much the likelihood of the right answer fell (rose), then in the task's order.

    Raises:
        SettingError: `change` is none of `CHANGES`.
        RunError: the run has no such task or stage, has not come so far, keeps no predictions, did
            not score the task at `before`, or the stages of the task are in no order.
    """
    check_choice("change", change, Change)
    names = run.config.task_names
    chosen = range(len(names)) if task is None else [run.task_index(task)]
    files: dict[int, dict[tuple[str, str, int], Prediction]] = {}
    changes: list[AnswerChange] = []
    unscored: list[str] = []
    for index in chosen:
        first, second = stage_index(run, before, index), stage_index(run, after, index)
        if first >= second:
            if task is not None:
                raise RunError(_no_later_stage(run, index, first, second))
            continue
        for stage in (first, second):
            if stage not in files:
                files[stage] = _predictions(run, stage)
        if not any(row.task == names[index] for row in files[first].values()):
            unscored.append(_not_scored(run, index, first))
        changes += _changes(files[first], files[second], names[index])
    if unscored and not changes:
        raise RunError(unscored[0])
    return select_changes(changes, change, text)


def select_changes(
    changes: Iterable[AnswerChange], change: Change = "all", text: str = ""
) -> list[AnswerChange]:
    """The examples whose score changed in one way and that contain a text, sorted.

    Args:
        changes: examples.
        change: `lost`, `gained` or `all`.
        text: a part of a prompt, an answer or a prediction, in whatever case.

    Returns:
        Those that match, in the order of `forgotten_examples`.
    """
    sign = -1 if change == "gained" else 1
    selected = [
        entry
        for entry in changes
        if (change == "all" or sign * entry.change < -_ROUNDING) and _contains(entry, text)
    ]
    return sorted(selected, key=lambda entry: (sign * entry.change, -sign * entry.nll_rise))


def _contains(change: AnswerChange, text: str) -> bool:
    fields = change.prompt, change.answer, change.prediction_before, change.prediction_after
    return any(text.casefold() in field.casefold() for field in fields)


def stage_index(run: Run, stage: Stage, task: int) -> int:
    """A stage as the 0-based index of the task trained last; -1: untrained.

    Args:
        run: the run.
        stage: as `forgotten_examples` takes it.
        task: the index of the task that `LEARNED` is about.

    Returns:
        The index, of a stage that the run has or has not reached yet.

    Raises:
        RunError: the run has no such task.
    """
    if stage is None or stage == UNTRAINED:
        return -1
    if stage == LEARNED:
        return task
    if stage == LAST:
        return len(run.events("task")) - 1
    return run.task_index(stage)


def stage_name(stage: str | None) -> str:
    """What a stage is called: `after FOMC`, or `untrained`."""
    return UNTRAINED if stage is None else f"after {stage}"


def _predictions(run: Run, stage: int) -> dict[tuple[str, str, int], Prediction]:
    """The answers at a stage, by example."""
    names = run.config.task_names
    if stage >= len(run.events("task")):
        raise RunError(f"{run.path} has not finished {names[stage]} yet; look again when it has")
    rows = run.predictions(None if stage < 0 else stage)
    if not rows and run.config.training.score_unlearned:
        state = stage_name(None if stage < 0 else names[stage])
        raise RunError(
            f"{run.path} keeps no predictions of the model {state}, for an older version made the "
            "run or its folder predictions/ was not copied; copy it, or repeat the run"
        )
    return {(row.task, row.split, row.index): row for row in rows}


def _changes(
    before: dict[tuple[str, str, int], Prediction],
    after: dict[tuple[str, str, int], Prediction],
    task: str,
) -> list[AnswerChange]:
    """The examples of a task that were answered at both stages, in the task's order."""
    return [
        AnswerChange(
            task, row.split, row.index, row.prompt, row.answer,
            row.trained_after, later.trained_after, row.prediction, later.prediction,
            row.score, later.score,
            row.nll / max(1, row.tokens), later.nll / max(1, later.tokens),
        )
        for key, row in before.items()
        if row.task == task and (later := after.get(key)) is not None
    ]  # fmt: skip


def _not_scored(run: Run, task: int, stage: int) -> str:
    names = run.config.task_names
    when = "before any task" if stage < 0 else stage_name(names[stage])
    return (
        f"{run.path} did not score {names[task]} {when}, for it was trained without "
        "score_unlearned; choose a stage from when the task was learned on (before='learned'), or "
        "repeat the run with it"
    )


def _no_later_stage(run: Run, task: int, first: int, second: int) -> str:
    names = run.config.task_names
    if first == second == task:
        return (
            f"{run.path} has trained nothing after {names[task]}, so nothing of it can be "
            "forgotten; choose an earlier task, or compare with the untrained model "
            "(before='untrained')"
        )
    states = [stage_name(None if stage < 0 else names[stage]) for stage in (first, second)]
    return (
        f"the stage before ({states[0]}) does not come earlier than the stage after ({states[1]}) "
        f"in {run.path}; choose an earlier one before or a later one after"
    )
