"""Verifying a run: every file is as it was written, and its scores follow from its events."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from fggm_lab.errors import LabError, RunError
from fggm_lab.files import folder_damage, read_record, read_tensors
from fggm_lab.runs.completeness import check_log, owed_files, training_has_begun
from fggm_lab.runs.config import DIGESTS_SINCE
from fggm_lab.runs.events import EvaluationEvent, TaskEvent
from fggm_lab.runs.folders import run_folders, search_folders
from fggm_lab.runs.listing import checked_folder
from fggm_lab.runs.records import STATE_ENTRY, is_there
from fggm_lab.runs.run import Run
from fggm_lab.runs.scores import ScoreMatrix
from fggm_lab.runs.sweep import RECORD, asked_before, is_finished

_TOLERANCE = 1e-9
"""How far the mean of stored scores may be from the score that was logged: rounding of a sum."""


@dataclass(frozen=True)
class Verification:
    """What came of verifying a run, or the record of a sweep.

    Attributes:
        run: the folder of the run or the sweep.
        checks: how many were made.
        problems: one sentence for each that is damaged, missing or contradicts another.
        digests: whether the run's files have digests; without, as in runs of older versions, a
            changed number can only be seen where another file contradicts it.
    """

    run: Path
    checks: int
    problems: tuple[str, ...]
    digests: bool

    def to_json(self) -> dict[str, object]:
        """The fields as JSON has them."""
        return {**asdict(self), "run": str(self.run), "problems": list(self.problems)}


def verify(run: Run | Path | str) -> Verification:
    """Read every file of a run, and see whether its records agree.

    Checked are the digests of all files; that the score matrix is the one that the evaluations of
    the log give, and each of their scores the mean of the stored answers' scores; and that what
    belongs to a finished task is there: every step and the task's end in the log, its mask, its
    answers, drift and scores if other tasks have theirs.

    Args:
        run: a run, or its folder; it may be unfinished, and is not changed.

    Returns:
        What was found.

    Raises:
        RunError: there is no run, or its configuration or its log cannot be read, so that nothing
            else can be judged.
    """
    opened = Run.open(run if isinstance(run, Path | str) else run.path)
    opened.events()
    checks = list(_checks(opened))
    digests = opened.config.schema_version >= DIGESTS_SINCE
    return Verification(opened.path, 2 + len(checks), _refusals(checks), digests)


def verify_all(folder: Path | str) -> list[Verification]:
    """Verify every run at or under a folder, and the records of sweeps there.

    Args:
        folder: as `find_runs` takes it.

    Returns:
        One verification per run, and one per sweep: its record, and that every run is there that it
        names as trained. A run that `verify` refuses, one that has lost its configuration for
        instance, has this refusal as its problem, and hides no other.

    Raises:
        RunError: there is no such folder, or no run in it.
    """
    folder = checked_folder(folder)
    runs, damaged = search_folders(folder)
    paths = sorted([*runs, *damaged])
    if not paths:
        raise RunError(f"there is no run under {folder}; check the path")
    above = {parent for path in paths for parent in path.parents if parent.is_relative_to(folder)}
    sweeps = sorted(path for path in {folder, *above} if (path / RECORD).exists())
    return [_verified_sweep(path) for path in sweeps] + [_verified(path) for path in paths]


def _verified_sweep(path: Path) -> Verification:
    """The verification of a sweep's record."""
    try:
        cells = asked_before(path)
    except RunError as problem:
        return Verification(path, 1, (str(problem),), digests=True)
    missing = [path / name for name in cells if not os.path.isdir(path / name)]
    if missing and not all(map(is_finished, run_folders(path))):
        missing = []  # a sweep that is gone on with may be about to train them anew
    problems = tuple(f"{cell} is missing, and {RECORD} names it as trained" for cell in missing)
    return Verification(path, 1 + len(cells), problems, digests=True)


def _verified(path: Path) -> Verification:
    """A run's verification, even if nothing can be judged."""
    try:
        return verify(path)
    except (LabError, OSError) as problem:
        return Verification(path, 1, (str(problem),), digests=True)


def _refusals(checks: Iterable[Callable[[], object]]) -> tuple[str, ...]:
    """What those checks say that fail."""
    refusals = []
    for check in checks:
        try:
            check()
        except LabError as problem:
            refusals.append(str(problem))
    return tuple(dict.fromkeys(refusals))  # two checks may read one file


def _checks(run: Run) -> Iterator[Callable[[], object]]:
    """What to look at, each a call that raises LabError where something is wrong."""
    yield partial(check_log, run)
    begun = training_has_begun(run)
    if begun:
        yield partial(_check_scores, run)
    for file in owed_files(run):
        yield partial(_check_file, file)
    for event in run.events("evaluation"):
        if event["final"]:
            yield partial(_check_answers, run, event)
    for task in run.config.task_names:
        yield partial(run.fisher_along, task)
        for step in run.mask_steps(task):
            yield partial(run.mask, task, step)
        for kind in ("drift", "memory"):
            path = run.file(kind, task)
            if is_there(path):
                yield partial(read_tensors, path, _damaged(path), fields=())
    if begun and is_there(run.path / "masks"):  # a copy may leave out all of a kind
        for task_event in run.events("task"):
            yield partial(_check_mask, run, task_event)
    for path in sorted(run.path.rglob("*.json")):
        if "checkpoints" not in path.relative_to(run.path).parts:
            yield partial(read_record, path, RunError)
    for folder in map(run.checkpoint, (None, *run.config.task_names)):
        if folder is not None:
            yield partial(_check_folder, folder)
    path = run.resume_file
    if is_there(path):
        yield partial(read_tensors, path, _damaged(path), former_entry=STATE_ENTRY)


def _damaged(path: Path) -> Callable[[str], RunError]:
    return lambda reason: RunError(f"{path} is damaged: {reason}")


def _check_file(file: Path) -> None:
    if not is_there(file):
        raise RunError(f"{file} is missing, and other tasks of the run have theirs")


def _check_folder(folder: Path) -> None:
    if reason := folder_damage(folder):
        raise RunError(f"the model in {folder} is damaged: {reason}")


def _check_mask(run: Run, event: TaskEvent) -> None:
    """Refuse a mask that is not the one under which a task was trained last."""
    digest = event.get("mask")
    if digest is None:
        return  # every unit moved, or an older version wrote the log
    mask = run.mask(event["name"])
    if mask is None or mask.digest() != digest:
        state = "is missing" if mask is None else "is another"
        raise RunError(f"{run.path}: the mask under which {event['name']} was trained {state}")


def _check_scores(run: Run) -> None:
    """Refuse a score matrix that the log does not give."""
    evaluations = [event for event in run.events("evaluation") if event["final"]]
    stored = run.scores
    if stored is None:
        # A run may have been stopped between logging its first evaluation and writing the matrix.
        if len(evaluations) > 1 or run.finished:
            raise RunError(f"{run.path / 'scores.json'} is missing")
        return
    # A run may have been stopped between logging an evaluation and writing the matrix.
    logs = [evaluations] if run.finished else [evaluations, evaluations[:-1]]
    name, better = stored.general["name"], stored.general["better"]
    if all(ScoreMatrix.from_events(stored.tasks, log, name, better) != stored for log in logs):
        raise RunError(
            f"{run.path / 'scores.json'} does not hold the scores that the log's evaluations give"
        )


def _check_answers(run: Run, event: EvaluationEvent) -> None:
    """Refuse stored answers whose mean scores are not those that were logged."""
    index = event["task"]
    answers = run.predictions(None if index < 0 else index)
    for task, logged in event["tasks"].items():
        stored = [answer.score for answer in answers if answer.task == task]
        if stored and abs(fmean(stored) - logged["score"]) > _TOLERANCE:
            name = "the start" if index < 0 else run.config.task_names[index]
            raise RunError(
                f"{run.path}: the answers to {task} stored after {name} score {fmean(stored):.6g} "
                f"on average, and the log says {logged['score']:.6g}"
            )
