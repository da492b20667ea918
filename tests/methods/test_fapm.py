"""FAPM undoes all of a task's changes but those with the highest metric, worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.methods import FAPM, make_method
from fggm_lab.methods.fapm import pruning_metric
from tests.support.resuming import weights
from tests.support.small import context, jolt, small_model, small_run, small_tasks


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_entries_outside_the_top_of_the_metric_are_those_of_before(
    vectors: bool, dtype: torch.dtype
) -> None:
    model, start = (small_model(dtype=dtype) for _ in range(2))
    task_context = replace(context(model), before=lambda: start)
    jolt(task_context, seed=3)
    method = FAPM(density=0.2, vectors=vectors)
    tuned = {name: p.detach().clone() for name, p in model.named_parameters()}
    assert not method.on_weights(task_context, 1, 2)
    assert method.on_weights(task_context, 2, 2)
    for name, parameter in model.named_parameters():
        before = start.get_parameter(name).detach()
        if parameter.ndim == 1 and not vectors:
            assert torch.equal(parameter, tuned[name])
            continue
        now, was = (t.flatten().to(torch.float64).numpy() for t in (tuned[name], before))
        change = np.abs(now - was)
        with np.errstate(divide="ignore"):
            metric = change - np.abs(was).mean() * change / np.abs(was)
        unpruned = parameter.detach().flatten() != before.flatten()
        assert int(unpruned.sum()) == round(0.2 * len(now))
        assert metric[unpruned].min() >= metric[~unpruned].max() - 1e-6
        assert torch.equal(parameter.flatten()[unpruned], tuned[name].flatten()[unpruned])


def test_the_metric_by_hand() -> None:
    before = torch.tensor([[2.0, -1.0, 0.5, 0.5]])  # mean size 1
    after = torch.tensor([[3.0, -2.0, 1.5, 0.5]])
    expected = torch.tensor([[1 - 1 / 2, 1 - 1 / 1, 1 - 1 / 0.5, -torch.inf]])
    assert torch.equal(pruning_metric(after, before), expected)
    assert torch.isneginf(pruning_metric(torch.ones(2, 2), torch.zeros(2, 2))).all()


def test_with_a_mask_only_what_it_let_move_stays_changed(tmp_path: Path) -> None:
    settings = {"tasks": small_tasks(2), "epochs": 1, "points_per_task": 0, "general": None}
    method = make_method("fggm+fapm", fapm={"density": 0.1, "vectors": True}, fggm={"keep": 0.5})
    run = small_run(method, tmp_path / "run", **settings)
    mask, before, after = run.mask(1), weights(run, 0), weights(run, 1)
    assert mask is not None
    for name, parameter, frozen in mask.frozen(small_model()):
        changed = before[name] != after[name]
        assert not changed[frozen.expand_as(parameter)].any(), name
        assert 0 < int(changed.sum()) <= max(1, round(0.1 * parameter.numel()))


def test_a_share_out_of_range_is_one_sentence() -> None:
    with pytest.raises(SettingError, match="density is 0; "):
        FAPM(density=0)
