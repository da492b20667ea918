"""A run's numbers in experiment trackers (TensorBoard, W&B, MLflow, …), by accelerate's classes."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers
from accelerate.utils import LoggerType
from typing_extensions import TypedDict

from fggm_lab.errors import MissingExtra, RunError, SettingError, TrainingError, first_line, nearest
from fggm_lab.extras import require
from fggm_lab.files import append_line, checked, closed_record, read_record, write_record
from fggm_lab.runs import Run
from fggm_lab.runs.events import Event
from fggm_lab.runs.scalars import event_scalars
from fggm_lab.training.writer import Listener

FOLDER = "trackers"
"""Of a run: TensorBoard's files, each tracker's id of the run, and how far it has logged it."""
PROJECT = "fggm-lab"
"""The project (MLflow: experiment) unless the tracker's environment variable names another."""

Trackers: TypeAlias = str | GeneralTracker | Sequence[str | GeneralTracker]
"""Names as accelerate's `log_with` has them, comma-separated or in a list, or trackers."""

_ARGUMENTS: dict[str, Callable[[str, str, bool], dict[str, Any]]] = {
    "wandb": lambda run_id, title, resumed: {"id": run_id, "name": title, "resume": "allow"},
    "trackio": lambda run_id, title, resumed: {
        "name": f"{title} {run_id[:8]}",
        "resume": "allow",
    },
    "mlflow": lambda run_id, title, resumed: {"run_id": run_id} if resumed else {"run_name": title},
}
"""What trackers that can resume a run are made with, by the run's id, its title, and whether it is
resumed."""


def check_trackers(trackers: Trackers) -> list[str | GeneralTracker]:
    """Look whether all trackers can be used.

    Args:
        trackers: their names, or objects of accelerate's class.

    Returns:
        They, each once.

    Raises:
        SettingError: there is no tracker of that name.
        MissingExtra: its library is not installed.
    """
    listed = trackers.split(",") if isinstance(trackers, str) else trackers
    parts = [listed] if isinstance(listed, GeneralTracker) else listed
    named = [part.strip() if isinstance(part, str) else part for part in parts]
    chosen = list(dict.fromkeys(part for part in named if part))
    known_names = sorted(map(str, LOGGER_TYPE_TO_CLASS))
    optional = {kind.value for kind in LoggerType} - {str(t) for t in get_available_trackers()}
    for name in chosen:
        if isinstance(name, GeneralTracker):
            continue
        if name not in known_names:
            raise SettingError(
                f"log_with: no tracker is named '{name}'{nearest(name, known_names)}; there are: "
                f"{', '.join(known_names)}"
            )
        if name == "tensorboard":
            require("logging to TensorBoard", "tensorboard")
        elif name in optional:
            library = name.replace("_", "-")
            raise MissingExtra(
                f"log_with: {library} is not installed; install with: pip install {library}"
            )
    return chosen


@contextmanager
def logging_to(
    trackers: Sequence[str | GeneralTracker], run: Run, listener: Listener | None
) -> Iterator[Listener]:
    """Let trackers hear what a listener hears.

    A number is logged once, however often the run is stopped and resumed: a run that goes on tells
    its listener again what was logged before, and tells it in the same order.

    Args:
        trackers: as `check_trackers` gives them.
        run: whose events will be heard, from the first one on.
        listener: hears them, too.

    Yields:
        What is to be told every event.

    Raises:
        TrainingError: a tracker cannot be started, or failed.
    """
    logs = [_open(tracker, run) for tracker in trackers]

    def tell(event: Event) -> None:
        if listener is not None:
            listener(event)
        for log in logs:
            log(event)

    try:
        yield tell
    finally:
        for log in logs:
            log.finish()


class _TrackerLog:
    """One tracker's log of a run, which goes on where it stopped."""

    def __init__(self, name: str, tracker: GeneralTracker, folder: Path) -> None:
        self.name, self.tracker = name, tracker
        self._position = folder / f"{name}.position"
        self._logged = _last_number(self._position)
        self._heard = self._step = 0

    @property
    def is_new(self) -> bool:
        return self._logged == 0

    def __call__(self, event: Event) -> None:
        """Log the numbers of an event, unless they are logged already."""
        self._heard += event["kind"] != "resume"  # which is in the log only where it was stopped
        if event["kind"] == "step" or event["kind"] == "evaluation":
            self._step = event["step"]
        numbers = {name: value for name, value in event_scalars(event) if value is not None}
        if numbers and self._heard > self._logged:
            with _failures(self.name):
                self.tracker.log(numbers, step=self._step)
            append_line(self._position, str(self._heard))

    def finish(self) -> None:
        with _failures(self.name):
            self.tracker.finish()


def _open(tracker: str | GeneralTracker, run: Run) -> _TrackerLog:
    """Start a tracker, and give it the run's settings unless it has them."""
    folder = run.path / FOLDER
    folder.mkdir(exist_ok=True)
    name = tracker if isinstance(tracker, str) else tracker.name
    with _failures(name):
        if isinstance(tracker, str):
            tracker = _start(tracker, run)
        else:
            _begin(tracker)
        log = _TrackerLog(name, tracker, folder)
        if log.is_new:
            tracker.store_init_configuration(hyperparameters(run))
    return log


def _start(name: str, run: Run) -> GeneralTracker:
    """A tracker by its name, which goes on with what it logged of the run before."""
    record = run.path / FOLDER / f"{name}.json"
    resumed = record.exists()
    run_id = _stored_id(record) if resumed else uuid4().hex
    title = run.path.as_posix()
    make = LOGGER_TYPE_TO_CLASS[name]
    arguments = _ARGUMENTS[name](run_id, title, resumed) if name in _ARGUMENTS else {}
    if make.requires_logging_directory:
        tracker = make(name, run.path / FOLDER, **arguments)
    else:
        project = os.environ.get(f"{name.upper()}_PROJECT", PROJECT)
        tracker = make(project, **arguments)
    _begin(tracker)
    if name == "mlflow":  # its server chooses the id
        run_id = tracker.tracker.info.run_id
    write_record(record, {"id": run_id})
    return tracker


@closed_record
class _Record(TypedDict):
    """What is kept of a tracker."""

    id: str


def _stored_id(path: Path) -> str:
    def damaged(reason: str) -> RunError:
        return RunError(f"{path} is no tracker's record ({reason}); remove it to log anew")

    return checked(_Record, read_record(path, RunError), damaged)["id"]


def _begin(tracker: GeneralTracker) -> None:
    """Start a tracker as accelerate does; what it prints is no output of a command."""
    with redirect_stdout(sys.stderr):
        if hasattr(tracker, "start"):  # older versions start one when they make it
            tracker.start()


def hyperparameters(run: Run) -> dict[str, bool | int | float | str]:
    """A run's settings as trackers take them: flat, and without those that are not set."""
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in run.config.settings().items()
        if value is not None
    }


def _last_number(path: Path) -> int:
    """The number in a file's last whole line; 0 without one."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    except FileNotFoundError:
        return 0
    return int(lines[-1]) if lines else 0


@contextmanager
def _failures(name: str) -> Iterator[None]:
    """Say which tracker failed, and how to go on without it."""
    try:
        yield
    except Exception as problem:
        raise TrainingError(
            f"the tracker {name} failed: {first_line(problem)}; mend it or leave it out of "
            "log_with (--log-with), and go on with resume=True (--resume)"
        ) from problem
