"""The course's runs: short ones, trained when a notebook first asks for them, read afterwards."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from fggm_lab.errors import OtherSettings, RunError
from fggm_lab.files import write_text
from fggm_lab.methods import make_method
from fggm_lab.models import load_model
from fggm_lab.runs import Run
from fggm_lab.runs.run import CONFIG
from fggm_lab.tasks import SHIPPED, load_general, load_tasks
from fggm_lab.training import run_sequence

TASKS = ("NumGLUE-cm", "FOMC", "NumGLUE-ds")
"""The tasks of trace-mini that the course's runs learn, in this order."""

METHODS = ("sft", "migu", "fggm", "random")
"""The methods that the course compares unless a notebook asks for others."""

SETTINGS: dict[str, Any] = {
    "lr": 1.5e-3,
    "epochs": 4,
    "limit": 160,
    "points_per_task": 5,
    "fisher_points": 2,
    "fisher_examples": 64,
}
"""How every method is trained: in seconds, yet so that forgetting shows; chosen on the eval split,
the same for all methods."""

FOLDER = "FGGM_LAB_COURSE_RUNS"
"""The environment variable that says where the course's runs lie."""

OWN = ".course-runs"
"""Marks a folder that `course_runs` made, the only kind in which it replaces a run."""

Begin = Callable[[], Run]
"""Trains a run, or what is left of it."""


def course_runs(
    *methods: str, seeds: Sequence[int] = (0,), folder: Path | str | None = None
) -> list[Run]:
    """The course's short runs: those that are there are read, the others trained first.

    Every run learns three tasks of trace-mini on the shipped model and keeps Fisher scores along
    the way. A run takes some seconds on one CPU core, once. One that was interrupted goes on; one
    that another notebook is training is waited for; one of an earlier version of the course is
    trained anew.

    Args:
        methods: names of methods; by default those of `METHODS`.
        seeds: a run of each method for each.
        folder: where the runs lie, as `<folder>/<seed>/<method>`; by default what the environment
            variable FGGM_LAB_COURSE_RUNS says, else `runs/course` in the project.

    Returns:
        method by method, seed by seed.

    Raises:
        SettingError: no method has such a name.
        RunError: a run is damaged, or is not the course's own.
    """
    home = default_folder() if folder is None else Path(folder)
    made = [make_method(name) for name in methods or METHODS]
    model, tokenizer = load_model(device="cpu")
    train = partial(
        run_sequence,
        model,
        tokenizer,
        load_tasks(SHIPPED, order=list(TASKS)),
        general=load_general(SHIPPED),
        model_name="tiny",
        resume=True,
        **SETTINGS,
    )
    runs = []
    for method in made:
        for seed in seeds:
            path = home / str(seed) / method.name
            begin = partial(train, method, path, seed=seed)
            run = _read(path, begin)
            if run is None:
                with _alone(path):
                    run = _read(path, begin) or _train(path, begin)
            runs.append(run)
    return runs


def default_folder() -> Path:
    """Where the course's runs lie unless a caller says otherwise.

    The environment variable FGGM_LAB_COURSE_RUNS; else `runs/course` of the project, for a notebook
    that runs in a project's folder of notebooks; else `runs/course` here.
    """
    if told := os.environ.get(FOLDER):
        return Path(told).expanduser()
    inside = Path.cwd().name == "notebooks" and any(
        Path("..", file).is_file() for file in ("pyproject.toml", "Makefile")
    )
    return Path("..", "runs", "course") if inside else Path("runs", "course")


def _read(path: Path, begin: Begin) -> Run | None:
    """The run if it is finished and made as it would be made now."""
    if (path / CONFIG).is_file() and Run.open(path).finished:
        with suppress(OtherSettings):
            return begin()
    return None


def _train(path: Path, begin: Begin) -> Run:
    """Train the run, or what is left of it, telling so in one printed line."""
    start = time.perf_counter()
    print(f"training {path} (once) … ", end="", flush=True)
    try:
        run = begin()
    except OtherSettings as difference:
        _remove(path, difference)
        run = begin()
    print(f"{time.perf_counter() - start:.0f} s")
    return run


def _remove(path: Path, difference: OtherSettings) -> None:
    """Delete a run that the course made with other settings.

    Raises:
        RunError: it is not known to be the course's.
    """
    if not (path.parents[1] / OWN).is_file():
        raise RunError(
            f"{path} is not a run of this course ({difference}); name another folder, "
            f"course_runs(…, folder=…) or the environment variable {FOLDER}"
        ) from None
    shutil.rmtree(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Be the only one at a course run; whoever else trains it is waited for."""
    home = path.parents[1]
    lock = FileLock(path.parent / f".{path.name}.lock")
    try:
        if not home.exists() or not any(home.iterdir()):
            write_text(home / OWN, "Runs of the course (fggm_lab.course_runs); safe to delete.\n")
        path.parent.mkdir(exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"waiting for another notebook that is training {path}")
            lock.acquire()
    except (OSError, NotImplementedError) as problem:
        raise RunError(
            f"the course's run {path} cannot be made: {problem}; name a folder you may write to, "
            f"course_runs(…, folder=…) or the environment variable {FOLDER}"
        ) from None
    try:
        yield
    finally:
        lock.release()
