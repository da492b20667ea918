"""Greedy answers in batches: padded on the left, each ending at its own most tokens."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.models import context_length
from fggm_lab.models.encoding import Encoded, collate

EXTRA_TOKENS = 4
"""How much longer than the longest right answer a generated one may grow."""


def to_device(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch where the model is."""
    return {name: tensor.to(device) for name, tensor in batch.items()}


def longest_answer(encoded: Sequence[Encoded], metric: str) -> int:
    """How many tokens an answer to one of these may have before it is cut, if none are asked for.

    Exact match is lost beyond the longest right answer; ScienceQA looks at one character; what is
    compared as a whole gets `EXTRA_TOKENS` more.
    """
    longest = max(len(item.answer) for item in encoded)
    return {"accuracy": longest, "first_character": 1}.get(metric, longest + EXTRA_TOKENS)


@torch.no_grad()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: Sequence[int],
    batch_size: int = 64,
) -> list[str]:
    """Greedy answers to tokenised prompts, in batches padded on the left.

    Args:
        max_new_tokens: for each prompt, the most tokens its answer may have; it also ends where
            the model's context does. A batch of prompts with similar limits is generated to the
            largest of them, and each answer is cut.

    Returns:
        the decoded answers in the prompts' order, special tokens removed.
    """
    pad = tokenizer.pad_token_id
    context = context_length(model)
    items = [Encoded(tuple(prompt), (), False) for prompt in prompts]
    limits = [
        max(1, min(most, context - len(item)))
        for most, item in zip(max_new_tokens, items, strict=True)
    ]
    answers = [""] * len(items)
    for indices in _batches([len(item) for item in items], limits, batch_size, context):
        batch = to_device(collate([items[i] for i in indices], pad, side="left"), model.device)
        start = batch["input_ids"].shape[1]
        out = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=limits[indices[-1]],
                pad_token_id=pad,
                eos_token_id=tokenizer.eos_token_id,
            ),
        )
        cut = [out[row, start : start + limits[i]] for row, i in enumerate(indices)]
        texts = tokenizer.batch_decode(cut, skip_special_tokens=True)
        for i, text in zip(indices, texts, strict=True):
            answers[i] = text
    return answers


def _batches(
    lengths: Sequence[int], limits: Sequence[int], size: int, context: int
) -> Iterator[list[int]]:
    """Indices in batches of similar limits, rising, no prompt generated beyond the context."""
    batch: list[int] = []
    longest = 0
    for i in sorted(range(len(lengths)), key=lambda i: (limits[i], lengths[i])):
        longest = max(longest, lengths[i])
        if batch and (len(batch) == size or longest + limits[i] > context):
            yield batch
            batch, longest = [], lengths[i]
        batch.append(i)
    if batch:
        yield batch
