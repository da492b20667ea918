"""What a run's log shows to have been written: its own lines, and the files of its tasks.

Nothing is demanded that a run may lack for a good reason: one that was stopped, a branch that took
over what its source had, a copy without files of a kind, a run of an older version, or a training
that something else carried out.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fggm_lab.errors import RunError
from fggm_lab.runs.config import DIGESTS_SINCE
from fggm_lab.runs.events import EvaluationEvent
from fggm_lab.runs.folders import LOG
from fggm_lab.runs.records import is_there
from fggm_lab.runs.run import Run


def check_log(run: Run) -> None:
    """Refuse a log that lacks its first line, a step of a task, or the line of a finished task."""
    events = run.events()
    if events and events[0]["kind"] != "start":
        raise RunError(f"{run.path / LOG} does not begin with the line that announces the run")
    lines = Counter(event["task"] for event in run.events("task"))
    for index, name in enumerate(run.config.task_names):
        due = (1,) if index < _tasks_left_behind(run) else (0, 1)
        if lines[index] not in due:
            raise RunError(
                f"{run.path / LOG} has {lines[index]} lines that say how task {name} ended, and "
                "it ended once"
            )
        _check_steps(run, index)


def _tasks_left_behind(run: Run) -> int:
    """How many tasks were finished for certain: a later one has begun, or the run has ended."""
    if run.finished:
        return len(run.config.task_names)
    return max(_task_indices(run), default=0)


def _task_indices(run: Run) -> list[int]:
    """The task of each event that has one, whatever its kind."""
    indices = (event.get("task") for event in run.events())
    return [index for index in indices if isinstance(index, int)]


def training_has_begun(run: Run) -> bool:
    """Whether a run is past the point up to which it is begun anew, over what is there.

    Until then a branch may have taken over only a part of what its source has.

    Args:
        run: finished or not.

    Returns:
        Whether its first state was saved, or it has trained.
    """
    first = 0 if run.config.branch is None else run.config.branch.task + 1
    return is_there(run.resume_file) or any(index >= first for index in _task_indices(run))


def _check_steps(run: Run, index: int) -> None:
    """Refuse a task whose steps are not all in the log, up to where its evaluation stands."""
    if not _planned(run, index):
        return
    steps = [event["task_step"] for event in run.events("step") if event["task"] == index]
    ends = [event["task_step"] for event in _evaluations(run) if event["task"] == index]
    last = ends[-1] if ends else len(steps)
    if steps != list(range(1, last + 1)):
        raise RunError(
            f"{run.path / LOG} does not have each of the steps 1 to {max([last, *steps])} of task "
            f"{run.config.task_names[index]} once"
        )


def _planned(run: Run, index: int) -> int:
    """The steps announced for a task; 0 where the log need not have them, as of a Recorder."""
    return next((event["steps"][index] for event in run.events("start") if "steps" in event), 0)


def _evaluations(run: Run) -> list[EvaluationEvent]:
    """Those on whole splits."""
    return [event for event in run.events("evaluation") if event["final"]]


def owed_files(run: Run) -> list[Path]:
    """The files of tasks that a run must have, since it has such files of others.

    Args:
        run: finished or not.

    Returns:
        The paths, whether there is a file or not.
    """
    if run.config.schema_version < DIGESTS_SINCE:
        return []  # older versions wrote fewer files, and may have begun the run
    last_of_source = -2 if run.config.branch is None else run.config.branch.task
    ended = [event for event in run.events("task") if event["task"] > last_of_source]
    scored = [event["task"] for event in _evaluations(run) if event["task"] > last_of_source]
    # Of a task that was gone on with, the model before it may have been lost.
    gone_on = {event["task"] for event in run.events("resume") if event["task_step"]}
    recorded = run.config.training.fisher_points is not None
    # Methods of the lab's own that score units score them before each task that they mask.
    scores_known = [
        event["task"]
        for event in ended
        if _planned(run, event["task"])
        and (recorded or ("mask" in event and not run.config.method_classes))
    ]
    kinds = (
        [run.predictions_file(None if index < 0 else index) for index in scored],
        [run.file("drift", event["task"]) for event in ended if event["task"] not in gone_on],
        [run.file("fisher", index) for index in scores_known],
    )
    return [file for files in kinds for file in _owed(run, files)]


def _owed(run: Run, files: Sequence[Path]) -> Sequence[Path]:
    """Those of one kind that must be there: none, if none is; all, where the run was trained.

    A copy may leave out all of them, or the earlier ones to be small.

    Args:
        run: that they belong to.
        files: in the order in which they were written.

    Returns:
        Of a copy, those from the first that is there.
    """
    present = [is_there(file) for file in files]
    if not any(present):
        return []
    return files if is_there(run.resume_file) else files[present.index(True) :]
