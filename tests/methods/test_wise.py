"""WiSE ends a task between the weights before it and those that plain fine-tuning ends with."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.evaluation import evaluate
from fggm_lab.methods import SFT, Composed, Method, WiSE, make_method
from fggm_lab.methods.base import TaskContext
from fggm_lab.methods.merging import interpolate
from tests.support.families import character_tokenizer
from tests.support.resuming import pausing_at, weights
from tests.support.small import context, jolt, small_model, small_run, small_tasks

SINGLE: dict[str, Any] = {"tasks": small_tasks(1), "points_per_task": 0, "general": None}
PAIR: dict[str, Any] = {**SINGLE, "tasks": small_tasks(2), "epochs": 1}


def test_the_task_ends_at_the_weighted_mean_and_that_is_what_is_scored(tmp_path: Path) -> None:
    model = small_model()
    tuned = weights(small_run(SFT(), tmp_path / "sft", model=model, **SINGLE), 0)
    run = small_run(WiSE(alpha=0.3), tmp_path / "wise", model=model, **SINGLE)
    ended = weights(run, 0)
    before = model.state_dict()
    for name in ended:
        expected = 0.7 * before[name].double() + 0.3 * tuned[name].double()
        torch.testing.assert_close(ended[name].double(), expected, rtol=1e-6, atol=1e-7)
    model.load_state_dict(ended, strict=False)
    measured = evaluate(
        model, character_tokenizer(), list(small_tasks(1)), None, split="test",
        max_length=run.config.max_length, max_new_tokens=run.config.max_new_tokens,
    )  # fmt: skip
    assert run.scores is not None
    assert run.scores.matrix[0][0] == measured.tasks["task-0"].score


def test_what_a_mask_froze_keeps_its_bits_and_a_task_paused_at_its_end_is_merged_once(
    tmp_path: Path,
) -> None:
    method = make_method("wise+fggm")
    run = small_run(method, tmp_path / "run", weight_decay=0.1, **PAIR)
    before, after, mask = weights(run, 0), weights(run, 1), run.mask(1)
    assert mask is not None
    for name, parameter, frozen in mask.frozen(small_model()):
        frozen_entries = frozen.expand_as(parameter)
        bits = (
            after[name][frozen_entries].view(torch.int32),
            before[name][frozen_entries].view(torch.int32),
        )
        assert torch.equal(*bits), name
        assert not torch.equal(after[name], before[name])
    settings = {"weight_decay": 0.1, "resume": True, "pause": pausing_at(3), **PAIR}
    assert not small_run(method, tmp_path / "parts", **settings).finished
    resumed = weights(small_run(method, tmp_path / "parts", **settings), 1)
    assert all(torch.equal(resumed[name], after[name]) for name in after)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_interpolation_is_exact_at_its_ends_and_where_nothing_moved(dtype: torch.dtype) -> None:
    model, old = (small_model(dtype=dtype) for _ in range(2))
    still = model.get_parameter("model.norm.weight")
    jolt(context(model), seed=1)
    with torch.no_grad():
        still[:] = -0.0
        old.get_parameter("model.norm.weight")[:] = -0.0
    moved = {name: p.detach().clone() for name, p in model.named_parameters()}
    interpolate(model, old.state_dict(), 0.4)
    for name, parameter in model.named_parameters():
        exact = 0.6 * moved[name].double() + 0.4 * old.get_parameter(name).double()
        torch.testing.assert_close(parameter.detach(), exact.to(dtype))
    assert torch.signbit(still).all()
    interpolate(model, old.state_dict(), 1)
    assert all(torch.equal(p, old.get_parameter(n)) for n, p in model.named_parameters())


def test_two_methods_that_change_the_weights_of_a_task_are_refused() -> None:
    class Other(Method):
        name = "other"
        merges = True

    with pytest.raises(SettingError, match="wise and other both change the weights that a task"):
        Composed((WiSE(), Other()))
    with pytest.raises(SettingError, match=r"alpha is 1\.5; it must be from 0 to 1"):
        WiSE(alpha=1.5)


def test_frozen_values_are_taken_anew_after_a_change_of_weights(tmp_path: Path) -> None:
    """A mask that restores frozen units restores what the change left, not what was before it."""

    class Shift(Method):
        name = "shift"
        paper = "none"

        def on_weights(self, context: TaskContext, step: int, steps: int) -> bool:
            shifted(context.model)
            return True

        def on_gradients(self, model: PreTrainedModel) -> None:  # asks for whole gradients
            pass

    @torch.no_grad()
    def shifted(model: PreTrainedModel) -> None:
        model.get_parameter("model.norm.weight").add_(1)

    method = Composed((Shift(), make_method("fggm")))
    run = small_run(method, tmp_path / "run", **SINGLE)
    mask = run.mask(0)
    assert mask is not None
    frozen = ~mask.units["model.norm.weight"]
    steps = len(run.events("step"))
    change = weights(run, 0)["model.norm.weight"] - small_model().get_parameter("model.norm.weight")
    assert torch.equal(change[frozen], torch.full_like(change[frozen], steps))
