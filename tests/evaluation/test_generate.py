"""Batches padded on the left say what each prompt says alone, and stop where they may."""

import pytest
import torch
from transformers.modeling_outputs import CausalLMOutput

from fggm_lab.evaluation.generate import generate
from tests.support.families import FAMILIES, character_tokenizer, some_examples
from tests.support.small import small_model

TOKENIZER = character_tokenizer()


@pytest.mark.parametrize("family", (*FAMILIES, "qwen3", "gpt_neox"))
def test_a_batch_says_what_its_prompts_say_one_by_one(family: str) -> None:
    model = small_model(family, dtype=torch.float64)
    prompts = [TOKENIZER(e.prompt)["input_ids"] for e in some_examples(13, longest=30)]
    limits = [1 + 5 * (i % 4) for i in range(13)]  # tasks with limits of their own, mixed
    assert len({len(prompt) for prompt in prompts}) > 5
    alone = [generate(model, TOKENIZER, [p], [n])[0] for p, n in zip(prompts, limits, strict=True)]
    for size in (2, 5, 64):
        assert generate(model, TOKENIZER, prompts, limits, batch_size=size) == alone
    assert [len(text) <= n for text, n in zip(alone, limits, strict=True)] == [True] * 13
    assert len(set(alone)) > 5


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_ends_where_the_context_does(family: str) -> None:
    # GPT-2 has no position beyond its context: one token more and it fails.
    model = small_model(family, dtype=torch.float64, context=32)

    def never_the_end(module: object, args: object, out: CausalLMOutput) -> None:
        out.logits[..., TOKENIZER.all_special_ids] = -1e9

    model.register_forward_hook(never_the_end)
    prompts = [[5 + i % 7 for i in range(length)] for length in (31, 4, 30, 4, 20, 31)]
    texts = generate(model, TOKENIZER, prompts, [100] * 6, batch_size=4)
    assert [len(text) for text in texts] == [1, 28, 2, 28, 12, 1]
    assert texts == [generate(model, TOKENIZER, [p], [100])[0] for p in prompts]


def test_nothing_to_say_takes_no_step() -> None:
    assert generate(small_model(), TOKENIZER, [], []) == []
