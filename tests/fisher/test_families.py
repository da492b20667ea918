"""Exact in every model family: against one example at a time, whatever the layout or precision."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.fisher import fisher_scores
from fggm_lab.fisher.memory_meter import MemoryMeter
from fggm_lab.fisher.objectives import data_likelihood
from fggm_lab.fisher.per_example import PerExampleFisher
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.models.checkpointing import checkpoint_activations
from fggm_lab.models.encoding import IGNORED, collate, encode
from fggm_lab.models.modes import evaluating
from fggm_lab.models.units import unit_axes
from tests.support import oracle
from tests.support.families import (
    ALL_FAMILIES,
    MIXTURES,
    character_tokenizer,
    some_examples,
    tiny_model,
)

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(6)
ENCODED = encode(TOKENIZER, EXAMPLES, 64)


@pytest.fixture(autouse=True)
def no_slow_path() -> Iterator[None]:
    """No family may fall to the generic path, which warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="no rule covers")
        yield


def truth_of(model: PreTrainedModel) -> dict[str, Tensor]:
    """Unit scores by autograd, one example at a time."""
    return oracle.unit_sums(model, oracle.diagonal_fisher(model, ENCODED))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_float64_is_exact(family: str, tied: bool, attention: str) -> None:
    model = tiny_model(family, tied=tied, attention=attention)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES, batch_size=4)
    assert scores.info.extra["generic"] == []
    # Gemma's norm works in float32 whatever the model's dtype
    bound = 1e-6 if family == "gemma" else 1e-8
    assert oracle.largest_error(scores.units, truth_of(model), 1e-6) <= bound


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_padding_on_either_side_changes_nothing(
    family: str, side: Literal["right", "left"]
) -> None:
    model = tiny_model(family)
    truth = truth_of(model)
    sums = SquareSums(dict(model.named_parameters()), unit_axes(model), elementwise=False)
    with evaluating(model):
        fisher = PerExampleFisher(model, data_likelihood(model), sums)
        fisher.add(lambda indices: collate([ENCODED[i] for i in indices], 5, side), range(6))
    units, _ = sums.means(6)
    # the float32 softmax of some attentions rounds padded and unpadded rows apart
    assert oracle.largest_error(units, truth, 1e-6) <= 1e-5


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_gaps_in_the_labels_do_not_count(family: str) -> None:
    model = tiny_model(family).eval()
    texts = [replace(e, answer=e.answer * 2) for e in ENCODED[:3]]
    truth: dict[str, Tensor] = {}
    for item in texts:
        batch = collate([item], 0)
        batch["labels"][0, -2] = IGNORED
        logs = model(batch["input_ids"], use_cache=False).logits[0].log_softmax(-1)
        counted = [t for t, label in enumerate(batch["labels"][0]) if label >= 0 and t > 0]
        value = sum(logs[t - 1, batch["labels"][0, t]] for t in counted)
        model.zero_grad()
        value.backward()
        for name, p in model.named_parameters():
            square = torch.zeros_like(p) if p.grad is None else p.grad.detach() ** 2
            truth[name] = truth.get(name, 0) + square / 3

    def load(indices: object) -> dict[str, Tensor]:
        batch = collate(texts, 0)
        for row, item in enumerate(texts):
            batch["labels"][row, len(item) - 2] = IGNORED
        return batch

    sums = SquareSums(dict(model.named_parameters()), unit_axes(model), elementwise=False)
    PerExampleFisher(model, data_likelihood(model), sums).add(load, range(3))
    assert oracle.largest_error(sums.means(3)[0], oracle.unit_sums(model, truth), 1e-6) <= 1e-5


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_float32_is_close(family: str) -> None:
    truth = truth_of(tiny_model(family))
    single = fisher_scores(tiny_model(family, dtype=torch.float32), TOKENIZER, EXAMPLES)
    assert oracle.largest_error(single.units, truth, 1e-3) <= 1e-3


@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_bfloat16_weights_are_summed_in_float32(family: str) -> None:
    half = tiny_model(family, dtype=torch.bfloat16)
    scores = fisher_scores(half, TOKENIZER, EXAMPLES)
    assert all(units.dtype == torch.float32 for units in scores.units.values())
    truth = truth_of(tiny_model(family, dtype=torch.bfloat16).double())
    plain: dict[str, Tensor] = oracle.unit_sums(half, oracle.diagonal_fisher(half, ENCODED))
    for name, true in truth.items():
        # bfloat16 has 8 bits, and the backward pass runs in it: autograd alone does no better
        off = float((scores.units[name].double() - true).norm() / true.norm().clamp_min(1e-30))
        error = float((plain[name].double() - true).norm() / true.norm().clamp_min(1e-30))
        assert off <= max(0.1, 2 * error), (name, off, error)


@pytest.mark.parametrize("experts", ["eager", "batched_mm", "grouped_mm"])
@pytest.mark.parametrize("family", MIXTURES)
def test_experts_however_they_are_computed(family: str, experts: str) -> None:
    dtype = torch.float64 if experts == "eager" else torch.float32
    model = tiny_model(family, experts=experts, dtype=dtype)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert scores.info.extra["generic"] == []
    assert oracle.largest_error(scores.units, truth_of(tiny_model(family)), 1e-3) <= 1e-3


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("family", ["llama", "gpt2", "mixtral"])
def test_checkpointing_changes_memory_alone(family: str, reentrant: bool) -> None:
    examples = some_examples(8, longest=40)

    def scored(model: PreTrainedModel) -> tuple[dict[str, Tensor], int]:
        sums = SquareSums(dict(model.named_parameters()), unit_axes(model), elementwise=False)
        items = encode(TOKENIZER, examples, 64)
        with evaluating(model), MemoryMeter([*model.parameters(), *sums.tensors]) as meter:
            PerExampleFisher(model, data_likelihood(model), sums).add(
                lambda _: collate(items, 0), range(8)
            )
        return sums.means(8)[0], meter.peak

    plain, plain_bytes = scored(tiny_model(family, layers=6))
    saving = tiny_model(family, layers=6)
    checkpoint_activations(saving, {"use_reentrant": reentrant})
    checkpointed, checkpointed_bytes = scored(saving)
    assert oracle.largest_error(checkpointed, plain, 1e-6) <= 1e-8
    assert checkpointed_bytes < 0.7 * plain_bytes
