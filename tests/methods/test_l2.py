"""L2's gradient is that of the distance to the start, of the run or of the task."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.methods import L2
from tests.support.resuming import assert_resumes
from tests.support.small import context, jolt, small_model


@pytest.mark.parametrize("anchor", ["run", "task"])
def test_the_gradient_is_that_of_the_written_out_penalty(anchor: Literal["run", "task"]) -> None:
    model, start, between = (small_model(dtype=torch.float64) for _ in range(3))
    method = L2(strength=0.3, anchor=anchor)
    memory: dict[str, torch.Tensor] = {}
    for index, before in enumerate((start, between)):

        def earlier(at_start: PreTrainedModel = before) -> PreTrainedModel:
            return at_start

        task_context = replace(context(model, index), memory=memory, before=earlier)
        method.plan(task_context)
        jolt(task_context, seed=index)
        if index == 0:
            between.load_state_dict(model.state_dict())
    anchors = dict((start if anchor == "run" else between).named_parameters())
    parameters = dict(model.named_parameters())
    distance = sum(((p - anchors[n].detach()) ** 2).sum() for n, p in parameters.items())
    expected = torch.autograd.grad(0.15 * distance, list(parameters.values()))
    plain = {name: torch.randn_like(p) for name, p in parameters.items()}
    for name, parameter in parameters.items():
        parameter.grad = plain[name].clone()
    method.start(task_context)
    method.on_gradients(model)
    method.finish()
    for (name, parameter), gradient in zip(parameters.items(), expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, plain[name] + gradient, rtol=1e-9, atol=1e-12)
    assert bool(memory) == (anchor == "run")


@pytest.mark.parametrize("anchor", ["run", "task"])
def test_resumed_equals_uninterrupted(tmp_path: Path, anchor: Literal["run", "task"]) -> None:
    run = assert_resumes(L2(1.0, anchor), tmp_path)
    assert [bool(event["stored_bytes"]) for event in run.events("task")] == [anchor == "run"] * 3


def test_the_runs_anchor_is_the_untrained_model(tmp_path: Path) -> None:
    model = small_model()
    memory = assert_resumes(L2(), tmp_path, model=model).memory(2)
    for name, parameter in model.named_parameters():
        assert torch.equal(memory[f"l2.anchor.{name}"], parameter)


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="anchor is 'start'; choose one of: run, task"):
        L2(anchor="start")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="strength is nan; it must be 0 or more"):
        L2(strength=float("nan"))
