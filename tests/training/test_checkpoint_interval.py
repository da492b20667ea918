"""The state is saved every so many steps or so much time, and what is computed is the same."""

from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.methods import SFT
from fggm_lab.training.checkpoint_interval import CheckpointInterval
from fggm_lab.training.resume_state import load_state
from tests.support.resuming import StopAt
from tests.support.small import small_run, small_tasks


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("15min", 900), ("1.5 h", 5400), ("0.5min", 30)]
)
def test_a_time_is_read_with_its_unit(written: str, seconds: float) -> None:
    interval = CheckpointInterval.parse(written)
    assert interval == CheckpointInterval(None, seconds)
    assert interval.is_due(1, seconds) and not interval.is_due(1, seconds - 0.1)


@pytest.mark.parametrize("written", [200, "200"])
def test_a_number_is_of_steps(written: int | str) -> None:
    interval = CheckpointInterval.parse(written)
    assert [step for step in range(1, 601) if interval.is_due(step, 1e9)] == [200, 400, 600]


@pytest.mark.parametrize("written", [0, "0min", "-3", "15 minutes", "soon", "1.5", ""])
def test_anything_else_is_refused(written: int | str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="write a whole number of steps above 0, or a time"):
        small_run(SFT(), tmp_path / "run", checkpoint_every=written)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("every", "step"), [(3, 3), ("0.000001s", 4), ("1h", 0)])
def test_a_killed_run_goes_on_from_there(every: int | str, step: int, tmp_path: Path) -> None:
    settings = {"tasks": small_tasks(1), "checkpoint_every": every, "points_per_task": 0}
    with pytest.raises(KeyboardInterrupt):
        small_run(SFT(), tmp_path / "run", listener=StopAt("step", 5), **settings)
    progress, _ = load_state(tmp_path / "run" / "checkpoints" / "resume.safetensors")
    assert progress.task_step == step
