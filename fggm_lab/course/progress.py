"""A reader's progress through the exercises: a small JSON file in their copy of the course.

Checks record it where a person is at work, in a front end on a copy of the course; a test, a
conversion and a checkout record nothing unless the environment variable `FGGM_LAB_PROGRESS` names
a file.
"""

import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from fggm_lab.course.folder import copy_around
from fggm_lab.errors import DataError, LabError
from fggm_lab.files import checked, locked, read_record, write_record

FILE = "fggm-progress.json"
"""The file of a reader's progress, in their copy of the course."""

VARIABLE = "FGGM_LAB_PROGRESS"
"""The environment variable that names the file of progress; empty: nothing is recorded."""

VERSION = 1
"""Of the file's form."""


@dataclass(frozen=True)
class ExerciseProgress:
    """How far a reader is with one exercise.

    Attributes:
        tries: answers that were checked, up to the first right one.
        hints: steps of help that were asked for; the solution is the last.
        passed: when an answer was first right, in ISO 8601 and UTC; None: not yet.
        sentence: what the check said last.
    """

    tries: int = 0
    hints: int = 0
    passed: str | None = None
    sentence: str = ""


def progress_file() -> Path | None:
    """Where progress is recorded now.

    Returns:
        what the environment variable FGGM_LAB_PROGRESS names; else the file of the copy of the
        course that a notebook runs in, if a person runs it there; else None.
    """
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named).expanduser() if named else None
    copy = copy_around(Path.cwd())
    return copy / FILE if copy is not None and _in_front_end() else None


def _in_front_end() -> bool:
    """Whether a notebook's front end started this kernel: Jupyter's server, or VS Code."""
    return "JPY_SESSION_NAME" in os.environ or hasattr(
        sys.modules.get("__main__"), "__vsc_ipynb_file__"
    )


def read_progress(path: Path | str) -> dict[str, ExerciseProgress]:
    """Read a file of progress.

    Args:
        path: of the file; it need not be there.

    Returns:
        Exercise, such as `00a` → its progress; empty if there is no file.

    Raises:
        DataError: the file is damaged; the sentence names it and the remedy.
    """
    path = Path(path)
    if not path.exists():
        return {}
    content = read_record(path, DataError)
    remedy = "restore it, or move it away to begin anew"
    if not isinstance(content.get("exercises"), dict):
        raise DataError(f"{path} is no file of progress: it has no object 'exercises'; {remedy}")
    if content.get("version") != VERSION:
        raise DataError(
            f"{path}: version is {content.get('version')}, and this lab reads {VERSION}; read it "
            "with the version of the lab that wrote it, or move it away to begin anew"
        )
    return {
        key: _parsed(stored, f"{path}: exercise {key}", remedy)
        for key, stored in content["exercises"].items()
    }


def _parsed(stored: Any, where: str, remedy: str) -> ExerciseProgress:
    """The progress that a file's object spells; raises DataError."""

    def refusal(reason: str) -> DataError:
        return DataError(f"{where}: {reason}; {remedy}")

    names = [field.name for field in fields(ExerciseProgress)]
    if isinstance(stored, dict) and stored.keys() - set(names):
        raise refusal(f"fields are {', '.join(names)}")
    progress = checked(ExerciseProgress, stored, refusal)
    for name in ("tries", "hints"):
        if (number := getattr(progress, name)) < 0:
            raise refusal(f"{name} is {number}, not a whole number from 0 on")
    if progress.passed is not None:
        try:
            datetime.fromisoformat(progress.passed)
        except ValueError as problem:
            raise refusal(f"passed: {problem}") from None
    return progress


def write_progress(path: Path | str, progress: dict[str, ExerciseProgress]) -> None:
    """Write a file of progress, whole or not at all.

    Args:
        path: of the file.
        progress: exercise, such as `00a` → its progress.

    Raises:
        LabError: the disk refused; an older file is as it was.
    """
    exercises = {key: asdict(progress[key]) for key in sorted(progress)}
    write_record(path, {"version": VERSION, "exercises": exercises})


def record_try(key: str, passed: bool, sentence: str) -> None:
    """Record that an answer was checked, if progress is recorded.

    Args:
        key: of the exercise, such as `00a`.
        passed: whether the answer is right.
        sentence: what the check said; empty if the answer raised an error.
    """

    def add_try(before: ExerciseProgress) -> ExerciseProgress:
        if before.passed is not None:
            return before
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return replace(
            before, tries=before.tries + 1, passed=now if passed else None, sentence=sentence
        )

    _record(key, add_try)


def record_hints(key: str, count: int) -> None:
    """Record how many steps of help a reader has asked for, if progress is recorded.

    Args:
        key: of the exercise.
        count: steps so far; what was asked for after a right answer counts no more.
    """
    _record(
        key,
        lambda before: before if before.passed else replace(before, hints=max(before.hints, count)),
    )


def _record(key: str, change: Callable[[ExerciseProgress], ExerciseProgress]) -> None:
    """Change an exercise's record; a file that cannot be read stays, and a warning says so."""
    path = progress_file()
    if path is None or not os.access(path.parent, os.W_OK):
        return
    try:
        with locked(path.with_name(f".{path.name}.lock"), lambda: None, _no_lock):
            progress = read_progress(path)
            before = progress.get(key, ExerciseProgress())
            after = change(before)
            if after != before:
                write_progress(path, progress | {key: after})
    except LabError as problem:
        warnings.warn(f"progress is not recorded: {problem}", stacklevel=4)


def _no_lock(problem: Exception) -> LabError:
    return LabError(f"the folder allows no lock ({problem})")
