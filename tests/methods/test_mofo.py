"""MoFO moves exactly the entries with the largest first moment, and those as Adam would."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.methods import MoFO
from fggm_lab.models.encoding import collate
from tests.support.resuming import assert_resumes
from tests.support.small import context, small_model, small_run


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("foreach", [False, True])
def test_exactly_the_top_share_moves_and_as_adam_moves_it(vectors: bool, foreach: bool) -> None:
    model = small_model()
    batch = collate(context(model).encoded, 0)
    method = MoFO(keep=0.2, vectors=vectors)
    settings: dict[str, Any] = {"lr": 1e-2, "weight_decay": 0.1, "foreach": foreach}
    optimizer = torch.optim.AdamW(model.parameters(), **settings)
    method.attach(optimizer)
    filtered = 0
    for _ in range(4):
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        model(**batch).loss.backward()
        adam = copy.deepcopy(model)  # the same step, unfiltered, from the same state
        unfiltered = torch.optim.AdamW(adam.parameters(), **settings)
        unfiltered.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for p, q in zip(adam.parameters(), model.parameters(), strict=True):
            p.grad = q.grad.clone()
        unfiltered.step()
        optimizer.step()
        optimizer.zero_grad()
        stepped = dict(adam.named_parameters())
        for name, parameter in model.named_parameters():
            moment = optimizer.state[parameter]["exp_avg"].abs().flatten()
            order = moment.argsort(descending=True)
            count = round(0.2 * moment.numel())
            if parameter.ndim == 1 and not vectors:
                assert torch.equal(parameter, stepped[name])
                continue
            top, rest = order[:count], order[count:]
            now, was = parameter.flatten(), before[name].flatten()
            assert moment[top].min() > 0
            # Ties, as among the rows of tokens that never came, make the order one of many.
            if moment[top].min() > moment[rest].max():
                assert torch.equal(now[top], stepped[name].flatten()[top])
                assert torch.equal(now[rest], was[rest])
                assert int((now != was).sum()) == count
                filtered += 1
    method.finish()
    assert filtered > 40


def test_after_the_task_the_optimiser_is_adam_again() -> None:
    model = small_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    method = MoFO()
    method.attach(optimizer)
    method.finish()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    model(**collate(context(model).encoded, 0)).loss.backward()
    optimizer.step()
    name = "model.layers.0.mlp.up_proj.weight"
    assert bool((model.get_parameter(name) != before[name]).all())


@pytest.mark.parametrize(("first_task", "index"), [(False, 0), (False, 1), (True, 0)])
def test_a_first_task_left_alone_is_plain_adam(first_task: bool, index: int) -> None:
    model = small_model()
    task_context = context(model, index=index)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    method = MoFO(keep=0.2, first_task=first_task)
    method.start(task_context)
    method.attach(optimizer)
    name = "model.layers.0.mlp.up_proj.weight"
    before = model.get_parameter(name).detach().clone()
    model(**collate(task_context.encoded, 0)).loss.backward()
    optimizer.step()
    method.finish()
    moved = (model.get_parameter(name) != before).float().mean()
    assert moved == (1 if not first_task and index == 0 else pytest.approx(0.2, abs=0.01))


def test_at_least_one_entry_moves() -> None:
    layer = torch.nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    method = MoFO(keep=0.01)
    method.attach(optimizer)
    before = layer.weight.detach().clone()
    layer(torch.tensor([[1.0, -3.0, 2.0]])).sum().backward()
    optimizer.step()
    assert (layer.weight != before).tolist() == [[False, True, False]]


def test_an_optimiser_without_a_first_moment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="SGD keeps none; train with optimizer adamw"):
        small_run(MoFO(), tmp_path / "run", optimizer="sgd")


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    assert_resumes(MoFO(), tmp_path, weight_decay=0.1)


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="keep is 0; it is the share"):
        MoFO(keep=0)
