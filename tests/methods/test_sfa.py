"""SFA averages with the weights before the task, every so many steps and at the end."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.methods import SFA, WiSE
from tests.support.resuming import same_weights
from tests.support.small import context, jolt, small_model, small_run, small_tasks


@pytest.mark.parametrize(
    ("period", "steps", "averaged"),
    [(0.25, 8, [2, 4, 6, 8]), (0.25, 6, [2, 4, 6]), (0.4, 5, [2, 4, 5]), (1.0, 3, [3]),
     (0.01, 3, [1, 2, 3])],
)  # fmt: skip
def test_the_weights_are_those_of_the_written_out_updates(
    period: float, steps: int, averaged: list[int]
) -> None:
    model, start = (small_model(dtype=torch.float64) for _ in range(2))
    task_context = replace(context(model), before=lambda: start)
    method = SFA(beta=0.3, period=period)
    expected = {name: p.detach().clone() for name, p in model.named_parameters()}
    method.start(task_context)
    for step in range(1, steps + 1):
        earlier = {name: p.detach().clone() for name, p in model.named_parameters()}
        jolt(task_context, seed=step)
        changed = method.on_weights(task_context, step, steps)
        assert changed == (step in averaged)
        probe = small_model(dtype=torch.float64)
        probe.load_state_dict(earlier, strict=False)
        jolt(replace(task_context, model=probe), seed=step)
        for name, parameter in probe.named_parameters():
            expected[name] = expected[name] + parameter.detach() - earlier[name]
            if step in averaged:
                expected[name] = 0.7 * expected[name] + 0.3 * start.get_parameter(name).detach()
    method.finish()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), expected[name], rtol=1e-12, atol=1e-12)


def test_one_average_at_the_end_is_wise_ft(tmp_path: Path) -> None:
    settings = {"tasks": small_tasks(2), "epochs": 1, "points_per_task": 0, "general": None}
    sfa = small_run(SFA(beta=0.25, period=1), tmp_path / "sfa", **settings)
    wise = small_run(WiSE(alpha=0.75), tmp_path / "wise", **settings)
    assert same_weights(sfa, wise, 1)


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match=r"beta is 2; it must be from 0 to 1"):
        SFA(beta=2)
    with pytest.raises(SettingError, match=r"period is 0; it must be in \(0, 1\]"):
        SFA(period=0)
