"""The course's runs: short ones, trained when a notebook first asks for them, read afterwards."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from fggm_lab.course.folder import MARKER as COPY
from fggm_lab.errors import OtherSettings, RunError
from fggm_lab.files import locked, write_text
from fggm_lab.methods import make_method
from fggm_lab.models import load_model
from fggm_lab.runs import Run
from fggm_lab.runs.run import CONFIG
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import SHIPPED, load_general, load_tasks
from fggm_lab.training import run_sequence

TASKS = ("NumGLUE-cm", "FOMC", "NumGLUE-ds")
"""The tasks of trace-mini that the course's runs learn, in this order."""

METHODS = ("sft", "migu", "fggm", "random")
"""The methods that the course compares unless a notebook asks for others."""

SETTINGS = TrainingSettings(
    lr=1.5e-3, epochs=4, limit=160, points_per_task=5, fisher_points=2, fisher_examples=64
)
"""How every method is trained: in seconds, and long enough for forgetting to show. The settings
were chosen on the eval split and are the same for all methods."""

FOLDER = "FGGM_LAB_COURSE_RUNS"
"""The environment variable that says where the course's runs lie."""

MARKER = ".course-runs"
"""The file that marks a folder made by `course_runs`, which replaces runs in no other folder."""

Trainer = Callable[[], Run]
"""Trains a run, or what is left of it."""


def course_runs(
    *methods: str, seeds: Sequence[int] = (0,), folder: Path | str | None = None
) -> list[Run]:
    """The course's short runs: those that are there are read, the others trained first.

    Every run learns three tasks of trace-mini on the shipped model and records Fisher scores during
    training. It takes some seconds on one CPU core, once. An interrupted run is continued; a run
    that another notebook is training is waited for; a run made by an earlier version of the course
    is trained again.

    Args:
        methods: names of methods; by default those of `METHODS`.
        seeds: each method is trained once with each.
        folder: where the runs lie, as `<folder>/<seed>/<method>`; by default what the environment
            variable FGGM_LAB_COURSE_RUNS says, else `runs/course` in the project.

    Returns:
        the runs, method by method, and of each method seed by seed.

    Raises:
        SettingError: no method has such a name.
        RunError: a run is damaged, or is not the course's own.
    """
    root = default_folder() if folder is None else Path(folder)
    chosen = [make_method(name) for name in methods or METHODS]
    model, tokenizer = load_model(device="cpu")
    train = partial(
        run_sequence,
        model,
        tokenizer,
        load_tasks(SHIPPED, order=list(TASKS)),
        general=load_general(SHIPPED),
        model_name="tiny",
        resume=True,
        settings=SETTINGS,
    )
    runs = []
    for method in chosen:
        for seed in seeds:
            path = root / str(seed) / method.name
            trainer = partial(train, method, path, seed=seed)
            run = _read(path, trainer)
            if run is None:
                with _locked(path):
                    run = _read(path, trainer) or _train(path, trainer)
            runs.append(run)
    return runs


def default_folder() -> Path:
    """The folder of the course's runs unless a caller names another.

    Returns:
        the value of the environment variable FGGM_LAB_COURSE_RUNS; else `runs/course` of the
        project or of the copy of the course, for a notebook in one of its folders; else
        `runs/course` of the working directory.
    """
    if named := os.environ.get(FOLDER):
        return Path(named).expanduser()
    for up in (Path(), Path("..")):  # a notebook in another language lies one folder deeper
        if (up / COPY).is_file():
            return up / "runs" / "course"
        if up.resolve().name == "notebooks" and any(
            (up / ".." / file).is_file() for file in ("pyproject.toml", "Makefile")
        ):
            return up / ".." / "runs" / "course"
    return Path("runs", "course")


def _read(path: Path, trainer: Trainer) -> Run | None:
    """The run if it is finished and its settings are those of today; else None."""
    if (path / CONFIG).is_file() and Run.open(path).finished:
        with suppress(OtherSettings):
            return trainer()
    return None


def _train(path: Path, trainer: Trainer) -> Run:
    """Train the run, or what is left of it, and print one line about it."""
    start = time.perf_counter()
    print(f"training {path} (once) … ", end="", flush=True)
    try:
        run = trainer()
    except OtherSettings as difference:
        _remove(path, difference)
        run = trainer()
    print(f"{time.perf_counter() - start:.0f} s")
    return run


def _remove(path: Path, difference: OtherSettings) -> None:
    """Delete a run that the course made with other settings.

    Args:
        path: of the run.
        difference: the error that named the settings.

    Raises:
        RunError: the run is not marked as the course's.
    """
    if not (path.parents[1] / MARKER).is_file():
        raise RunError(
            f"{path} is not a run of this course ({difference}); name another folder, "
            f"course_runs(…, folder=…) or the environment variable {FOLDER}"
        ) from None
    shutil.rmtree(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a course run; wait while another process trains it."""

    def busy() -> None:
        print(f"waiting for another notebook that is training {path}")

    def refusal(problem: Exception) -> RunError:
        return RunError(
            f"the course's run {path} cannot be made: {problem}; name a folder you may write to, "
            f"course_runs(…, folder=…) or the environment variable {FOLDER}"
        )

    root = path.parents[1]
    try:
        if not root.exists() or not any(root.iterdir()):
            write_text(
                root / MARKER, "Runs of the course (fggm_lab.course_runs); safe to delete.\n"
            )
        path.parent.mkdir(exist_ok=True)
    except OSError as problem:
        raise refusal(problem) from None
    with locked(path.parent / f".{path.name}.lock", busy, refusal):
        yield
