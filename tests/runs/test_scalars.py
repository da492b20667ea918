"""Every number that the log follows is a scalar, in the order of its steps."""

from pathlib import Path

import pytest

from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs import Run, log_scalars
from fggm_lab.runs.scalars import scalar_of
from tests.support.records import STEPS, made_config, made_run


def test_the_scalars_are_what_the_events_say(tmp_path: Path) -> None:
    run = made_run(tmp_path, "sft", ["A", "B"])
    scalars = log_scalars(run)
    steps = run.events("step")
    for name in ("loss", "lr", "norm"):
        assert scalars[name] == [(e["step"], e[name]) for e in steps]
    evaluations = run.events("evaluation")
    for name in ("score", "exact", "nll"):
        assert scalars[f"B/{name}"] == [
            (e["step"], e["tasks"]["B"][name]) for e in evaluations if "B" in e["tasks"]  # type: ignore[literal-required]
        ]  # fmt: skip
    general = [(e["step"], e["general"]) for e in evaluations if e.get("general")]
    assert scalars["general"] == [(step, g["score"]) for step, g in general if g]
    assert scalars["general/copy"] == [(step, g["skills"]["copy"]) for step, g in general if g]
    assert scalars["seconds/train"] == [(STEPS, 8.0), (2 * STEPS, 8.0)]
    assert scalars["peak_memory_mb"] == [(STEPS, 512.0), (2 * STEPS, 513.0)]


def test_numbers_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", made_config("sft"))
    for step, loss in enumerate((1.0, float("nan"), 0.5), start=1):
        run.append({"kind": "step", "task": 0, "task_step": step, "step": step, "loss": loss,
                    "lr": 0.1, "norm": None})  # fmt: skip
    assert log_scalars(run) == {"loss": [(1, 1.0), (3, 0.5)],
                                "lr": [(1, 0.1), (2, 0.1), (3, 0.1)]}  # fmt: skip


def test_a_scalar_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    run = made_run(tmp_path, "sft", ["A", "B"])
    with pytest.raises(SettingError, match=r"no scalar 'los'; there are: .*loss, lr, norm.*"
                                           r"did you mean 'loss'"):  # fmt: skip
        scalar_of(run, "los")
    with pytest.raises(RunError, match="has no numbers yet"):
        scalar_of(Run.create(tmp_path / "empty", made_config("sft")), "loss")
