"""Padding, on either side, changes nothing."""

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor

from fggm_lab.fisher.likelihood import evaluating
from fggm_lab.fisher.objectives import data_likelihood
from fggm_lab.fisher.per_example import PerExampleFisher
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.models.encoding import collate, encode
from fggm_lab.models.units import unit_axes
from tests.support import oracle
from tests.support.families import FAMILIES, character_tokenizer, some_examples, tiny_model


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", FAMILIES)
def test_padded_batches_are_exact(family: str, side: Literal["right", "left"], tied: bool) -> None:
    # sdpa: eager attention takes its softmax in float32, whose rounding depends on the padding
    model = tiny_model(family, tied=tied, attention="sdpa")
    encoded = encode(character_tokenizer(), some_examples(6), 64)
    truth = oracle.unit_sums(model, oracle.diagonal_fisher(model, encoded))
    sums = SquareSums(dict(model.named_parameters()), unit_axes(model), elementwise=False)

    def load(indices: Sequence[int]) -> dict[str, Tensor]:
        return collate([encoded[i] for i in indices], pad=5, side=side)

    with evaluating(model):
        value = PerExampleFisher(model, data_likelihood(model), sums).add(load, range(6))
        likelihood = sum(oracle.log_likelihood(model, e).detach() for e in encoded)
    torch.testing.assert_close(value, likelihood)
    units, _ = sums.means(6)
    for name, true in truth.items():
        floor = 1e-14 * float(true.max())  # a key's bias cancels to zero
        torch.testing.assert_close(units[name], true, rtol=1e-8, atol=floor)
