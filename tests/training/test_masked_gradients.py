"""Whole gradients are masked as `Mask.project_` masks them, by bits that are where they are."""

import pytest
import torch
from torch import Tensor
from torch.optim import AdamW
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError
from fggm_lab.masks import Mask
from fggm_lab.training import MaskedGradients
from fggm_lab.training.changed_entries import ChangedEntries
from tests.support.families import FAMILIES
from tests.support.small import small_model


def with_gradients(model: PreTrainedModel) -> PreTrainedModel:
    """The model with random gradients, one of them not a number."""
    rng = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=rng)
        parameter.grad.flatten()[-1] = torch.nan
    return model


def gradients(model: PreTrainedModel) -> dict[str, Tensor]:
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("keep", [0.3, 1.0])
def test_gradients_are_those_of_the_mask_bit_for_bit(family: str, keep: float) -> None:
    expected, model = (with_gradients(small_model(family)) for _ in range(2))
    mask = Mask.random(model, keep)
    mask.project_(expected)
    with MaskedGradients(model, mask) as masking:
        masking.project()
    for name, gradient in gradients(model).items():
        same = torch.equal(gradient.nan_to_num(7), gradients(expected)[name].nan_to_num(7))
        assert same, name


@pytest.mark.parametrize("keep", [0.3, 1.0])
def test_gradients_kept_elsewhere_are_refused(keep: float) -> None:
    model = small_model()
    with (
        MaskedGradients(model, Mask.random(model, keep)) as masking,
        pytest.raises(ModelError, match="no masked parameter has a gradient"),
    ):
        masking.project()


def test_a_masking_is_closed_even_where_its_last_look_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = small_model()
    masking = MaskedGradients(model, Mask.random(model, 0.3))
    masking.attach(AdamW(model.parameters()))

    def fail(_: ChangedEntries) -> None:
        raise UserWarning("few entries have changed")

    monkeypatch.setattr(ChangedEntries, "measure", fail)
    with pytest.raises(UserWarning):
        masking.close()
    plain = AdamW(model.parameters(), lr=1e-2)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    sum((parameter.square().sum() for parameter in model.parameters()), torch.zeros(())).backward()
    plain.step()  # refused while the masking is open
    moved = zip(before, model.parameters(), strict=True)
    assert all(not torch.equal(start, parameter) for start, parameter in moved)
