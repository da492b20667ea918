"""Trackers get what a run's log has: every number once, under one name, however it was resumed."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker
from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

from fggm_lab.errors import MissingExtra, SettingError, TrainingError
from fggm_lab.methods import FGGM, SFT
from fggm_lab.runs import Run, log_scalars
from fggm_lab.runs.scalars import Series
from fggm_lab.training import trackers
from fggm_lab.training.trackers import check_trackers, hyperparameters
from tests.support.command_line import QUICK, CommandResult
from tests.support.resuming import StopAt, assert_same_run
from tests.support.small import small_run, small_tasks


class Notebook(GeneralTracker):
    """A tracker that writes down what it is given."""

    name = "notebook"
    requires_logging_directory = False

    def __init__(self, project: str = "", **arguments: Any) -> None:
        super().__init__()
        self.project, self.arguments = project, arguments
        self.settings: list[dict[str, Any]] = []
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.finished = 0

    @property
    def tracker(self) -> Any:
        return SimpleNamespace(info=SimpleNamespace(run_id="chosen by the server"))

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.settings.append(values)

    def log(self, values: dict[str, float], step: int | None = None, **more: Any) -> None:
        assert step is not None
        self.rows.append((step, values))

    def finish(self) -> None:
        self.finished += 1

    def series(self) -> dict[str, Series]:
        series: dict[str, Series] = {}
        for step, values in self.rows:
            for name, value in values.items():
                series.setdefault(name, []).append((step, value))
        return series


def stopped_and_resumed(out: Path, stop: int = 12, **settings: Any) -> Run:
    """A run whose last step before it was stopped was not saved, and is taken anew."""
    settings = {"checkpoint_every": 4, **settings}
    with pytest.raises(KeyboardInterrupt):
        small_run(FGGM(), out, listener=StopAt("step", stop), **settings)
    return small_run(FGGM(), out, resume=True, **settings)


def test_tensorboard_has_the_log_of_a_resumed_run(tmp_path: Path) -> None:
    run = stopped_and_resumed(tmp_path / "run", log_with="tensorboard")
    folder = run.path / "trackers" / "tensorboard"
    board = EventAccumulator(str(folder), {SCALARS: 0}).Reload()
    expected = log_scalars(run)
    assert {"loss", "lr", "norm", "general", "task-0/score", "moving_share"} <= expected.keys()
    assert set(board.Tags()["scalars"]) == expected.keys()
    for name, series in expected.items():
        logged = [(event.step, event.value) for event in board.Scalars(name)]
        assert [step for step, _ in logged] == [step for step, _ in series]
        assert [v for _, v in logged] == pytest.approx([v for _, v in series], rel=1e-6)
    (hyperparameter_file,) = folder.glob("*/hparams.yml")
    assert "method: fggm\n" in hyperparameter_file.read_text()


def test_logging_changes_nothing_and_every_number_comes_once(tmp_path: Path) -> None:
    tracker = Notebook()
    run = stopped_and_resumed(tmp_path / "run", log_with=[tracker])
    assert tracker.series() == log_scalars(run)
    assert tracker.settings == [hyperparameters(run)] and tracker.finished == 2
    assert tracker.settings[0]["method_settings.keep"] == 0.3
    assert_same_run(small_run(FGGM(), tmp_path / "without"), run)
    late = Notebook()
    late.name = "late"
    small_run(FGGM(), run.path, resume=True, log_with=late, checkpoint_every=4)
    assert late.series() == log_scalars(run), "a finished run is logged whole"
    small_run(FGGM(), run.path, resume=True, log_with=late, checkpoint_every=4)
    assert late.series() == log_scalars(run), "and once"


@pytest.mark.parametrize(
    ("name", "first", "again"),
    [
        ("wandb", {"resume": "allow"}, {"resume": "allow"}),
        ("mlflow", {}, {"run_id": "chosen by the server"}),
        ("trackio", {"resume": "allow"}, {"resume": "allow"}),
    ],
)
def test_a_resumed_run_is_the_trackers_same_run(
    name: str,
    first: dict[str, str],
    again: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notebooks: list[Notebook] = []

    def make(project: str, **arguments: Any) -> Notebook:
        notebooks.append(Notebook(project, **arguments))
        return notebooks[-1]

    make.requires_logging_directory = False  # type: ignore[attr-defined]
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, name, make)
    monkeypatch.setattr(trackers, "get_available_trackers", lambda: [name])
    monkeypatch.setenv(f"{name.upper()}_PROJECT", "mine")
    run = stopped_and_resumed(tmp_path / "run", 6, tasks=small_tasks(1), log_with=name)
    before, after = notebooks
    assert before.project == after.project == "mine"
    assert first.items() <= before.arguments.items() and again.items() <= after.arguments.items()
    if name != "mlflow":
        assert before.arguments == after.arguments
    both = Notebook()
    both.rows = before.rows + after.rows
    assert both.series() == log_scalars(run)
    assert len(before.settings) == 1 and after.settings == []


def test_a_tracker_that_fails_is_named_and_the_run_goes_on_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Notebook()

    def fail(*values: object, **named: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(tracker, "log", fail)
    with pytest.raises(TrainingError, match=r"tracker notebook failed: no network; .*--log-with"):
        small_run(SFT(), tmp_path / "run", tasks=small_tasks(1), log_with=tracker)
    assert small_run(SFT(), tmp_path / "run", tasks=small_tasks(1), resume=True).finished


def test_names_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "get_available_trackers", lambda: ["tensorboard"])
    assert check_trackers("tensorboard, tensorboard") == ["tensorboard"]
    with pytest.raises(SettingError, match="no tracker is named 'wanb'; did you mean 'wandb'"):
        check_trackers(["wanb"])
    with pytest.raises(MissingExtra, match=r"wandb is not installed; .*: pip install wandb$"):
        check_trackers("tensorboard,wandb")


def test_the_command_line_asks_for_trackers_before_training(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    words = ("run", "--methods", "sft", "--order", "FOMC,NumGLUE-cm", "--general", "none", *QUICK)
    out = tmp_path / "out"
    assert "did you mean" in call(*words, "--out", out, "--log-with", "tensorbord").refusal
    assert not out.exists()
    assert call(*words, "--out", out, "--log-with", "tensorboard").status == 0
    board = EventAccumulator(str(out / "sft/trackers/tensorboard")).Reload()
    assert "FOMC/score" in board.Tags()["scalars"]
