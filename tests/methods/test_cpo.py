"""CPO's gradient is that of the written-out movement penalty, on the entries that moved most."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.methods import CPO
from fggm_lab.methods.cpo import most_moved
from tests.support.small import context, jolt, small_model


def top_tenth(now: torch.Tensor, was: torch.Tensor) -> set[int]:
    """Flat indices of the entries that moved most, by sorting."""
    distance = np.abs((now - was).detach().flatten().numpy())
    return set(np.argsort(distance)[::-1][: len(distance) // 10].tolist())


@pytest.mark.parametrize("tasks", [1, 2])
def test_the_gradient_is_that_of_the_written_out_penalty(tasks: int) -> None:
    model = small_model(dtype=torch.float64)
    method = CPO(strength=3.0)
    memory: dict[str, torch.Tensor] = {}
    protected: dict[str, set[int]] = {}
    for index in range(tasks):
        start = small_model(dtype=torch.float64)
        start.load_state_dict(model.state_dict())

        def before(at_start: PreTrainedModel = start) -> PreTrainedModel:
            return at_start

        task_context = replace(context(model, index), memory=memory, before=before)
        method.start(task_context)
        jolt(task_context, seed=index)
        method.finish()
        method.after_task(task_context)
        for name, parameter in model.named_parameters():
            top = top_tenth(parameter, start.get_parameter(name))
            protected[name] = protected.get(name, set()) | top
    anchor = {name: p.detach().clone() for name, p in model.named_parameters()}
    start = small_model(dtype=torch.float64)
    start.load_state_dict(anchor, strict=False)
    task_context = replace(context(model, tasks), memory=memory, before=lambda: start)
    method.start(task_context)
    jolt(task_context, seed=9)
    penalty = torch.zeros((), dtype=torch.float64)
    for name, parameter in model.named_parameters():
        indices = sorted(protected[name])
        distance = (parameter.flatten()[indices] - anchor[name].flatten()[indices]).abs()
        penalty = penalty + 3.0 * distance.mean()
    parameters = dict(model.named_parameters())
    expected = torch.autograd.grad(penalty, list(parameters.values()))
    parameters["model.norm.weight"].grad = torch.ones_like(parameters["model.norm.weight"])
    method.on_gradients(model)
    method.finish()
    for (name, parameter), gradient in zip(parameters.items(), expected, strict=True):
        assert parameter.grad is not None
        plain = 1.0 if name == "model.norm.weight" else 0.0
        torch.testing.assert_close(parameter.grad, plain + gradient, rtol=1e-9, atol=1e-12)


def test_what_did_not_move_is_not_protected() -> None:
    before, after = torch.zeros(4, 5), torch.zeros(4, 5)
    after[1, 2] = -0.1
    assert most_moved(after, before, 0.2).nonzero().tolist() == [[1, 2]]
    assert not most_moved(after, before, 0.04).any()  # rounded down to none of twenty


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="strength is -1; it must be 0 or more"):
        CPO(strength=-1)
    with pytest.raises(SettingError, match=r"protected is 0; it must be in \(0, 1\]"):
        CPO(protected=0)
