"""Which exercises of students' notebooks are right: as stored in them, or by running them."""

import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fggm_lab.course.exercises import Exercise, all_exercises
from fggm_lab.course.exercises.exercise import passed
from fggm_lab.course.progress import VARIABLE, ExerciseProgress, read_progress
from fggm_lab.course.results import CourseResults, ExerciseResult, results_of, student_name
from fggm_lab.course.runs import FOLDER, default_folder
from fggm_lab.errors import DataError, LabError
from fggm_lab.extras import require
from fggm_lab.files import read_json
from fggm_lab.tasks.shipped import notebooks_folder

SECONDS = 600
"""How long one notebook may run unless the caller says otherwise."""


@dataclass(frozen=True)
class Handed:
    """A notebook that a student handed in.

    Attributes:
        student: the name of their folder, or of the file where it is not the course's.
        path: of the file.
    """

    student: str
    path: Path


@dataclass(frozen=True)
class Grades:
    """What grading came to.

    Attributes:
        results: of every notebook that could be read.
        problems: a sentence for each that could not be read or run to its end.
    """

    results: CourseResults
    problems: tuple[str, ...]


def notebooks_in(paths: Iterable[Path | str]) -> list[Handed]:
    """The notebooks that students handed in.

    Args:
        paths: notebooks, or folders with notebooks in them, at any depth.

    Returns:
        The notebooks, with whose they are: a student is a folder, and where a file does not have
        the name of a notebook of the course, the file.

    Raises:
        DataError: a path is not there, or a folder has no notebook in it.
    """
    course = {path.name for path in notebooks_folder().glob("*.ipynb")}
    languages = {path.name for path in notebooks_folder().iterdir() if path.is_dir()}
    handed = []
    for named in map(Path, paths):
        files = [named] if named.is_file() else sorted(named.rglob("*.ipynb"))
        files = [file for file in files if ".ipynb_checkpoints" not in file.parts]
        if not files:
            reason = "has no notebook in it" if named.is_dir() else "is not there"
            raise DataError(f"{named} {reason}; name notebooks, or a folder of a class's notebooks")
        for file in files:
            folder = file.parent.parent if file.parent.name in languages else file.parent
            root = folder if named.is_file() or not folder.is_relative_to(named) else named
            if file.name in course:
                handed.append(Handed(student_name(root, folder), file))
            else:
                handed.append(Handed((folder.relative_to(root) / file.stem).as_posix(), file))
    return handed


def grade(
    paths: Iterable[Path | str],
    *,
    run: bool = False,
    seconds: float = SECONDS,
    starting: Callable[[Handed], None] = lambda notebook: None,
) -> Grades:
    """Find out which exercises of students' notebooks are right.

    Args:
        paths: notebooks, or folders with notebooks in them.
        run: run the notebooks' code on this machine, each in a process and a working directory of
            its own, and take what the lab's checks say. Otherwise nothing is run, and what the
            checks said last is read from the notebooks' stored outputs, which anyone can edit.
        seconds: how long one notebook may run.
        starting: called before each notebook.

    Returns:
        The results, and a sentence for each notebook that could not be graded.

    Raises:
        DataError: a path has no notebook in it.
        MissingExtra: notebooks are to be run, and the libraries for it are not installed.
    """
    if run:
        require("running notebooks", "nbclient")
    results: list[ExerciseResult] = []
    problems = []
    for notebook in notebooks_in(paths):
        starting(notebook)
        try:
            cells = _code_cells(notebook.path)
            present = {exercise.notebook for exercise in _exercises_in(cells)}
            if not present:
                raise DataError(
                    f"{notebook.path} has no exercise of the course in it; leave it out"
                )
            if run:
                progress, problem = _run(notebook.path, seconds)
                problems += [problem] if problem else []
                results += results_of(notebook.student, progress, present.__contains__)
            else:
                progress = _stored(cells)
                read = results_of(notebook.student, progress, present.__contains__)
                results += [replace(r, time=None, tries=None, hints=None) for r in read]
        except LabError as error:
            problems.append(str(error))
    return Grades(CourseResults(_best(results)), tuple(problems))


def _best(results: Sequence[ExerciseResult]) -> list[ExerciseResult]:
    """One result for each student and exercise, a right one if there is any; sorted."""
    best: dict[tuple[str, str, str], ExerciseResult] = {}
    for result in results:
        key = (result.student, result.notebook, result.exercise)
        if key not in best or (result.passed and not best[key].passed):
            best[key] = result
    return [best[key] for key in sorted(best)]


def _code_cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook's file; raises DataError if it is none."""
    content = read_json(path, DataError)
    try:
        return [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    except (KeyError, TypeError):
        raise DataError(
            f"{path} is no notebook: it has no list of cells; hand it in anew"
        ) from None


def _exercises_in(cells: Sequence[dict[str, Any]]) -> list[Exercise[Any]]:
    """The exercises whose checks the cells call."""
    code = "\n".join(_text(cell.get("source")) for cell in cells)
    return [exercise for exercise in all_exercises() if exercise.call in code]


def _stored(cells: Sequence[dict[str, Any]]) -> dict[str, ExerciseProgress]:
    """What the checks said, by the outputs stored in the cells that call them."""
    progress = {}
    for exercise in _exercises_in(cells):
        sentences = [
            sentence
            for cell in cells
            if exercise.call in _text(cell.get("source"))
            for output in cell.get("outputs", [])
            for sentence in re.findall(
                r"^(?:\w+: )?(?:Right|Not yet)\b.*(?:\n\w+: (?:Right|Not yet)\b.*)*",
                _text(output.get("text")),
                re.M,
            )
        ]
        right = [sentence for sentence in sentences if passed(sentence)]
        if sentences:
            progress[exercise.key] = ExerciseProgress(
                len(sentences), 0, "stored" if right else None, (right or sentences)[-1]
            )
    return progress


def _text(value: object) -> str:
    """A text of a notebook, which may be stored as a list of lines."""
    return "".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _run(path: Path, seconds: float) -> tuple[dict[str, ExerciseProgress], str]:
    """Run a notebook and read what its checks recorded; a sentence if it did not end in time."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    with tempfile.TemporaryDirectory() as scratch:
        record = Path(scratch, "progress.json")
        folder = Path(scratch, "notebooks")
        folder.mkdir()
        notebook = nbformat.read(shutil.copy(path, folder), as_version=4)
        runs = default_folder().resolve()
        environment = os.environ | {VARIABLE: str(record), FOLDER: str(runs)}
        deadline = time.monotonic() + seconds
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            allow_errors=True,
            log=logging.Logger("notebook", logging.CRITICAL),
            timeout_func=lambda cell: max(1, round(deadline - time.monotonic())),
            resources={"metadata": {"path": str(folder)}},
        )
        problem = ""
        try:
            client.execute(env=environment, stderr=subprocess.DEVNULL)
        except CellTimeoutError:
            problem = f"{path} was stopped after {seconds:g} s; --seconds gives it more"
        except DeadKernelError:
            problem = f"{path} ended its own process; what was checked before counts"
        return read_progress(record), problem
