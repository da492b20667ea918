"""Padding, on either side, changes nothing; the check of the rules is short and leaves no trace."""

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from fggm_lab.fisher.memory_meter import MemoryMeter
from fggm_lab.fisher.objectives import data_likelihood
from fggm_lab.fisher.per_example import PerExampleFisher
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.models.encoding import collate, encode
from fggm_lab.models.modes import evaluating
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


def test_the_check_holds_one_gradient_at_a_time() -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=48,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=4,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    sums = SquareSums(dict(model.named_parameters()), unit_axes(model), elementwise=False)
    batch = collate(encode(character_tokenizer(), some_examples(1), 64), 0)
    owned = [*model.parameters(), *(p.grad for p in model.parameters()), *sums.tensors]
    with evaluating(model), MemoryMeter([t for t in owned if t is not None]) as meter:
        PerExampleFisher(model, data_likelihood(model), sums).check(batch)
    assert meter.peak < 0.5 * sum(p.nbytes for p in model.parameters())
    assert not sums.generic
    for parameter in model.parameters():  # the caller's gradients and hooks are as they were
        assert parameter.grad is not None and bool((parameter.grad == 1).all())
        assert not parameter._backward_hooks


class Scaled(nn.Module):
    """A sum of bare vectors, which only autograd can score."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors = nn.ParameterList(nn.Parameter(torch.randn(16)) for _ in range(6))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.stack(list(self.vectors)).sum(0)


def test_the_warning_names_a_few_parameters() -> None:
    model = tiny_model("llama")
    model.model.layers[0].mlp = Scaled().double()
    sums = SquareSums(dict(model.named_parameters()), unit_axes(model), elementwise=False)
    batch = collate(encode(character_tokenizer(), some_examples(1), 64), 0)
    with evaluating(model), pytest.warns(UserWarning, match=r"no rule covers .* and 2 more param"):
        PerExampleFisher(model, data_likelihood(model), sums).check(batch)
    assert len(sums.generic) == 6
