"""Answers in batches, greedy or drawn: padded on the left, each with its own limit of tokens."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria

from fggm_lab.distributed import gathered
from fggm_lab.models import context_length
from fggm_lab.models.encoding import Encoded, collate, to_device
from fggm_lab.models.generation import generate_tokens, handles_left_padding

EXTRA_TOKENS = 4
"""How much longer than the longest right answer a generated one may grow."""

LONGEST_DECISION = 512
"""How many tokens an answer may have at most until its score is decided."""

CHECK_EVERY = 16
"""After how many new tokens each it is checked whether an answer has ended."""


def longest_answer(encoded: Sequence[Encoded], metric: str) -> int:
    """How many tokens of an answer are generated before it is asked whether its score is decided.

    Exact match is mostly lost beyond the longest right answer; ScienceQA looks at one character;
    what is compared as a whole gets `EXTRA_TOKENS` more, and goes no further.

    Args:
        encoded: the examples of a set, with their right answers.
        metric: the set's metric.

    Returns:
        The limit, the end token included.
    """
    longest = max(len(item.answer) for item in encoded)
    return {"accuracy": longest, "first_character": 1}.get(metric, longest + EXTRA_TOKENS)


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: Sequence[int],
    batch_size: int = 64,
    temperature: float = 0.0,
    ended: Callable[[int, str], bool] | None = None,
) -> list[str]:
    """Answers to tokenised prompts, in batches padded on the left.

    Each is what the model's own probabilities give: its `generation_config` is not obeyed. Where
    padding would change them (`handles_left_padding`), batches have prompts of one length each.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        prompts: as token ids.
        max_new_tokens: for each prompt, the most tokens its answer may have; it also ends where
            the model's context does. A batch of prompts with similar limits is generated to the
            largest of them, and each answer is cut.
        batch_size: prompts per forward pass.
        temperature: 0 for greedy answers; above, they are drawn with torch's random numbers from
            the whole distribution at this temperature.
        ended: given a prompt's index and its answer so far, whether nothing that may follow
            matters; called every `CHECK_EVERY` tokens.

    Returns:
        The decoded answers in the prompts' order, special tokens removed.
    """
    answers = _answers(model, tokenizer, prompts, max_new_tokens, batch_size, temperature, ended)
    return [text for text, _ in answers]


@torch.no_grad()
def _answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: Sequence[int],
    batch_size: int,
    temperature: float = 0.0,
    ended: Callable[[int, str], bool] | None = None,
) -> list[tuple[str, bool]]:
    """The answers of `generate`, each with whether the model ended it by itself."""
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    context = context_length(model)
    inputs = [Encoded(tuple(prompt), (), False) for prompt in prompts]
    limits = [
        max(1, min(limit, context - len(prompt)))
        for limit, prompt in zip(max_new_tokens, inputs, strict=True)
    ]
    lengths = [len(prompt) for prompt in inputs]
    padded = len(set(lengths)) > 1 and handles_left_padding(model, prompts, pad)
    answers = [("", False)] * len(inputs)
    for indices in _batches(lengths, limits, batch_size, context, padded):
        batch = to_device(collate([inputs[i] for i in indices], pad, side="left"), model.device)
        start = batch["input_ids"].shape[1]
        new = generate_tokens(
            model,
            batch["input_ids"],
            batch["attention_mask"],
            max_new_tokens=max(limits[i] for i in indices),
            end=tokenizer.eos_token_id,
            pad=pad,
            temperature=temperature,
            stop=[] if ended is None else [_Ended(tokenizer, start, indices, ended)],
        )
        cut = [new[row, : limits[i]] for row, i in enumerate(indices)]
        texts = tokenizer.batch_decode(cut, skip_special_tokens=True)
        for i, text, tokens in zip(indices, texts, cut, strict=True):
            answers[i] = text, tokenizer.eos_token_id in tokens.tolist()
    return answers


def generate_decided(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: Sequence[int],
    decided: Callable[[int, str], bool],
    batch_size: int = 64,
) -> list[str]:
    """Greedy answers whose scores do not depend on where they are cut.

    An answer that is not decided at its limit of tokens is written anew until it is, to
    `LONGEST_DECISION` tokens or the end of the model's context at most.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        prompts: as token ids.
        max_new_tokens: for each prompt, the most tokens of an answer that is decided by then.
        decided: given a prompt's index and its answer so far, whether nothing that may follow
            changes its score.
        batch_size: prompts per forward pass.

    Returns:
        The decoded answers in the prompts' order.
    """

    def answered(indices: Sequence[int]) -> list[str]:
        return _generate_decided(
            model,
            tokenizer,
            [prompts[i] for i in indices],
            [max_new_tokens[i] for i in indices],
            lambda at, text: decided(indices[at], text),
            batch_size,
        )

    return gathered(range(len(prompts)), answered)


def _generate_decided(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: Sequence[int],
    decided: Callable[[int, str], bool],
    batch_size: int,
) -> list[str]:
    """What `generate_decided` gives, in this process."""
    answers = _answers(model, tokenizer, prompts, max_new_tokens, batch_size)
    texts = [text for text, _ in answers]
    open_ones = [i for i, (text, ended) in enumerate(answers) if not (ended or decided(i, text))]
    longer = generate(
        model,
        tokenizer,
        [prompts[i] for i in open_ones],
        [max(max_new_tokens[i], LONGEST_DECISION) for i in open_ones],
        batch_size,
        ended=lambda at, text: decided(open_ones[at], text),
    )
    for i, text in zip(open_ones, longer, strict=True):
        texts[i] = text
    return texts


class _Ended(StoppingCriteria):
    """Ends a row of a batch where `generate`'s caller says so."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        start: int,
        indices: Sequence[int],
        ended: Callable[[int, str], bool],
    ) -> None:
        self.tokenizer, self.start, self.indices, self.ended = tokenizer, start, indices, ended
        self.over = [False] * len(indices)

    def __call__(self, input_ids: Tensor, scores: object, **_: object) -> Tensor:
        new = input_ids[:, self.start :]
        if new.shape[1] % CHECK_EVERY == 0:
            texts = self.tokenizer.batch_decode(new, skip_special_tokens=True)
            for row, (i, text) in enumerate(zip(self.indices, texts, strict=True)):
                self.over[row] = self.over[row] or self.ended(i, text)
        return torch.tensor(self.over, device=input_ids.device)


def _batches(
    lengths: Sequence[int], limits: Sequence[int], size: int, context: int, padded: bool
) -> Iterator[list[int]]:
    """Indices in batches, no prompt generated beyond the context.

    Batches of prompts that may be padded have similar, rising limits; others have one length each.

    Yields:
        The indices of one batch.
    """
    batch: list[int] = []
    longest = 0
    order = [
        (limit, length) if padded else (length, limit)
        for length, limit in zip(lengths, limits, strict=True)
    ]
    for i in sorted(range(len(lengths)), key=order.__getitem__):
        fits = max(longest, lengths[i]) + limits[i] <= context
        if batch and (len(batch) == size or not fits or (not padded and lengths[i] != longest)):
            yield batch
            batch, longest = [], 0
        longest = max(longest, lengths[i])
        batch.append(i)
    if batch:
        yield batch
