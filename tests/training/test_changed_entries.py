"""Training in 16 bits that rounds its steps away says so, with the share that has changed."""

import copy
import warnings
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM, SFT, Method
from fggm_lab.models.units import broadcast_units
from fggm_lab.training import ActiveRows, FGGMCallback, MaskedGradients
from fggm_lab.training.changed_entries import MEASURED_STEPS, changed_share
from tests.support.small import small_model, small_run, small_tasks
from tests.training.test_interrupted import BATCH, trainer

SLOW = 1e-5


def share_by_hand(before: PreTrainedModel, after: PreTrainedModel, mask: Mask) -> float:
    """Entry by entry."""
    now, changed, total = dict(after.named_parameters()), 0, 0
    for name, parameter in before.named_parameters():
        moving = broadcast_units(mask.units[name], tuple(parameter.shape), mask.axes[name])
        for entry in moving.expand_as(parameter).nonzero().tolist():
            total += 1
            changed += bool(now[name][tuple(entry)] != parameter[tuple(entry)])
    return changed / total


def loop(model: PreTrainedModel, masking: ActiveRows | MaskedGradients, lr: float) -> None:
    optimizer = masking.attach(torch.optim.AdamW(model.parameters(), lr=lr))
    for _ in range(MEASURED_STEPS):
        model(**BATCH, use_cache=False).loss.backward()
        masking.project()
        optimizer.step()
        optimizer.zero_grad()


def test_whole_gradients_warn_of_the_share_and_float32_copies_mend_it() -> None:
    start = small_model(dtype=torch.bfloat16)
    mask, rounded, copies = Mask.random(start, 0.3), copy.deepcopy(start), copy.deepcopy(start)
    says = "of the entries that may move have changed"
    with (
        pytest.warns(UserWarning, match=says) as caught,
        MaskedGradients(rounded, mask) as masking,
    ):
        loop(rounded, masking, SLOW)
    share = share_by_hand(start, rounded, mask)
    assert share == changed_share(dict(start.named_parameters()), rounded, mask)
    assert share < 0.3
    assert str(caught[0].message).startswith(f"{share:.1%} of the entries that may move have")
    assert f"after {MEASURED_STEPS} steps" in str(caught[0].message) and len(caught) == 1
    with ActiveRows(copies, mask) as rows:
        loop(copies, rows, SLOW)
    assert share_by_hand(start, copies, mask) > 2 * share


def test_enough_change_and_float32_are_not_warned_of(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for dtype, lr in ((torch.bfloat16, 1e-2), (torch.float32, SLOW)):
            model = small_model(dtype=dtype)
            with MaskedGradients(model, Mask.random(model, 0.3)) as masking:
                loop(model, masking, lr)
    callback = FGGMCallback()
    trainer(small_model(), tmp_path, callback).train()
    assert callback.changed_share is None


def test_the_callback_measures_what_its_training_changed(tmp_path: Path) -> None:
    model = small_model(dtype=torch.bfloat16)
    start, callback = copy.deepcopy(model), FGGMCallback()
    with pytest.warns(UserWarning, match="of the entries that may move have changed after 3 steps"):
        trainer(model, tmp_path, callback, learning_rate=SLOW, max_steps=3).train()
    assert callback.mask is not None and callback.changed_share is not None
    assert callback.changed_share == share_by_hand(start, model, callback.mask) < 0.2


@pytest.mark.parametrize("method", [SFT(), FGGM(first_task=True)], ids=["sft", "fggm"])
def test_a_run_records_a_small_share(method: Method, tmp_path: Path) -> None:
    for dtype in (torch.bfloat16, torch.float32):
        run = small_run(
            method,
            tmp_path / str(dtype),
            model=small_model(dtype=dtype),
            tasks=small_tasks(1),
            lr=SLOW,
        )
        (event,) = run.events("task")
        assert ("changed" in event) == (dtype == torch.bfloat16)
        assert 0 < event.get("changed", 0.1) < 0.5
