"""Attention patterns are the softmax of queries and keys, and the model comes back as it was."""

import pytest
import torch
from torch import Tensor, nn

from benchmarks.families import tiny_family
from fggm_lab.errors import ModelError
from fggm_lab.models import attention_patterns
from fggm_lab.tasks import Example
from tests.support.families import character_tokenizer, tiny_model

TEXT = "ab 12: where?"


def test_weights_are_the_softmax_of_queries_and_keys() -> None:
    """By hand for GPT-2, whose one projection gives queries, keys and values one after another."""
    model, tokenizer = tiny_model("gpt2").eval(), character_tokenizer()
    projected: list[Tensor] = []

    def note(_: nn.Module, __: object, output: Tensor) -> None:
        projected.append(output)

    handles = [block.attn.c_attn.register_forward_hook(note) for block in model.transformer.h]
    with torch.no_grad():
        model(torch.tensor([tokenizer(TEXT)["input_ids"]]))
    for handle in handles:
        handle.remove()
    patterns = attention_patterns(model, tokenizer, TEXT)
    assert patterns.layers == (0, 1) and "".join(patterns.tokens) == TEXT
    for layer, output in enumerate(projected):
        queries, keys, _ = (part.view(-1, 2, 8).transpose(0, 1) for part in output[0].split(16, 1))
        products = queries @ keys.transpose(1, 2) / 8**0.5
        future = torch.ones_like(products, dtype=torch.bool).triu(1)
        expected = products.masked_fill(future, float("-inf")).softmax(-1)
        torch.testing.assert_close(patterns.weights[layer], expected.float())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("family", ["llama", "opt", "qwen3"])
def test_the_model_comes_back_as_it_was(family: str, attention: str) -> None:
    model = tiny_model(family, attention=attention)  # in training mode, with dropout
    patterns = attention_patterns(model, character_tokenizer(), Example(TEXT, "1"))
    assert model.training and model.config._attn_implementation == attention
    sums = patterns.weights.sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))
    again = attention_patterns(model, character_tokenizer(), TEXT)
    assert torch.equal(patterns.weights, again.weights)


def test_a_model_without_attention_is_refused() -> None:
    model = tiny_family("mamba", character_tokenizer())
    with pytest.raises(ModelError, match="gives no attention weights"):
        attention_patterns(model, character_tokenizer(), TEXT)
