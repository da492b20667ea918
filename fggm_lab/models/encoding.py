"""Turning prompts and answers into token ids whose answer part is known exactly."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from fggm_lab.errors import DataError
from fggm_lab.models.chat import chat_answer_text, chat_prompt_text
from fggm_lab.tasks.chat import ChatPrompt

IGNORED = -100
"""The label of a token that does not count: prompt and padding."""


class HasPromptAndAnswer(Protocol):
    """Anything with a prompt and an answer, `fggm_lab.tasks.Example` for one."""

    @property
    def prompt(self) -> str: ...
    @property
    def answer(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as token ids.

    Attributes:
        prompt: the prompt's token ids.
        answer: the answer's token ids, the end token last.
        truncated: whether the prompt was cut from the left.
        labels: what is learned at each of the answer's tokens, `IGNORED` where nothing is, as
            between the turns of a dialogue; None: every token of the answer, as it stands.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    truncated: bool
    labels: tuple[int, ...] | None = None

    @property
    def targets(self) -> tuple[int, ...]:
        """What is learned at each of the answer's tokens."""
        return self.answer if self.labels is None else self.labels

    def __len__(self) -> int:
        """The number of tokens of prompt and answer."""
        return len(self.prompt) + len(self.answer)

    def __repr__(self) -> str:
        cut = ", cut from the left" if self.truncated else ""
        return f"Encoded(prompt of {len(self.prompt)} tokens{cut}, answer of {len(self.answer)})"


def encode(
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[HasPromptAndAnswer],
    max_length: int,
    numbers: Sequence[int] | None = None,
    *,
    where: str = "",
    context: int | None = None,
    cut_alike: bool = False,
    max_prompt: int | None = None,
    skippable: bool = False,
) -> list[Encoded]:
    """Tokenise prompts and answers separately, so that no token contains parts of both.

    The answer is closed by the end token. A conversation (`fggm_lab.tasks.ChatPrompt`) is written
    with the tokenizer's chat template, prompt and answer, which then also says where a beginning
    token stands. A prompt that does not fit is cut from the left (its
    beginning-of-sequence token stays); the answer is never cut. A prompt without any token becomes
    one beginning (or, lacking that, end) token, so that the answer's first token is predicted too.

    Args:
        tokenizer: must have an end token.
        examples: objects with `.prompt` and `.answer`.
        max_length: the most tokens an example may have.
        numbers: what to call each example in an error; by default its index, from 0.
        where: what the examples are of, for an error: a task, a skill, a file.
        context: the most tokens the model can read, for an error's remedy.
        cut_alike: leave every prompt the same room, that beside the longest of the answers; where a
            model is scored, a prompt's length must say nothing about its own answer. Else each
            prompt has the room that its own answer leaves.
        max_prompt: the most tokens of a prompt (None: as many as there is room for).
        skippable: the user can have such examples skipped (`skip_too_long`), for an error's remedy.

    Returns:
        The examples in order.

    Raises:
        DataError: an answer and one prompt token do not fit into `max_length` tokens, or the
            tokenizer has no end token, or for a conversation no chat template.
    """
    prompts = _prompts(tokenizer, [e.prompt for e in examples])
    answers = _answers(tokenizer, examples)
    longest = max(map(len, answers), default=0)
    encoded = []
    for index, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        room = max_length - len(answer)
        if room < 1:
            number = numbers[index] if numbers else index
            raise DataError(
                f"{where}{': ' if where else ''}the answer of example {number} has {len(answer)} "
                f"tokens and leaves no room for its prompt within {max_length}; "
                f"{_remedy(max_length, context, skippable)}"
            )
        room = max_length - longest if cut_alike else room
        cut = _cut(tokenizer, prompt, min(room, max_prompt or room))
        encoded.append(Encoded(tuple(cut), tuple(answer), len(cut) < len(prompt)))
    return encoded


def fitting_examples(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[HasPromptAndAnswer], max_length: int
) -> list[int]:
    """The examples that `encode` accepts, whose answers leave room for a token of a prompt.

    Args:
        tokenizer: must have an end token.
        examples: objects with `.prompt` and `.answer`.
        max_length: the most tokens an example may have.

    Returns:
        Their indices, rising.
    """
    answers = _answers(tokenizer, examples)
    return [index for index, answer in enumerate(answers) if len(answer) < max_length]


def encode_prompts(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str], max_length: int
) -> list[Encoded]:
    """Tokenise prompts that the model is to continue, as `encode` does; the answers are empty.

    Args:
        tokenizer: must have an end token.
        prompts: texts.
        max_length: the most tokens of a prompt; a longer one is cut from the left.

    Returns:
        The prompts in order, with empty answers.

    Raises:
        DataError: the tokenizer has no end token.
    """
    encoded = []
    for prompt in _prompts(tokenizer, prompts):
        cut = _cut(tokenizer, prompt, max_length)
        encoded.append(Encoded(tuple(cut), (), len(cut) < len(prompt)))
    return encoded


def _ids(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], **settings: bool
) -> list[list[int]]:
    """The token ids of texts of any length; what is too long is cut or refused afterwards."""
    if not texts:
        return []
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(
                f"the prompt or answer of example {index} is of type {type(text).__name__}; it "
                "must be a text"
            )
    ids: list[list[int]] = tokenizer(list(texts), verbose=False, **settings)["input_ids"]
    return ids


def _answers(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[HasPromptAndAnswer]
) -> list[list[int]]:
    """The token ids of answers, the end token last; one that a chat template wrote is enough."""
    end = tokenizer.eos_token_id
    in_chat = [isinstance(example.prompt, ChatPrompt) for example in examples]
    texts = [
        chat_answer_text(tokenizer, example.prompt, example.answer)
        if isinstance(example.prompt, ChatPrompt)
        else example.answer
        for example in examples
    ]
    answers = _ids(tokenizer, texts, add_special_tokens=False)
    return [
        answer if chat and answer[-1:] == [end] else [*answer, end]
        for answer, chat in zip(answers, in_chat, strict=True)
    ]


def _prompts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """The token ids of prompts, at least one each, without an end token that was added."""
    end, begin = tokenizer.eos_token_id, tokenizer.bos_token_id
    if end is None:
        raise DataError("the tokenizer has no end token; set tokenizer.eos_token before use")
    chats = [i for i, text in enumerate(texts) if isinstance(text, ChatPrompt)]
    prompts = _ids(tokenizer, ["" if isinstance(text, ChatPrompt) else text for text in texts])
    written = [chat_prompt_text(tokenizer, texts[i]) for i in chats]  # type: ignore[arg-type]
    for index, ids in zip(chats, _ids(tokenizer, written, add_special_tokens=False), strict=True):
        prompts[index] = ids
    for index, (text, prompt) in enumerate(zip(texts, prompts, strict=True)):
        if not isinstance(text, ChatPrompt):
            prompt = _without_added(tokenizer, text, prompt)
        prompts[index] = prompt or [end if begin is None else begin]
    return prompts


def _without_added(tokenizer: PreTrainedTokenizerBase, text: str, prompt: list[int]) -> list[int]:
    """A prompt without the end token or the second beginning token that the tokenizer added.

    An end token that the text itself ends with stays, for a conversation in a text has such ends.

    Args:
        tokenizer: that made the ids.
        text: the prompt.
        prompt: its ids, with what the tokenizer adds.

    Returns:
        The ids.
    """
    end, begin = tokenizer.eos_token_id, tokenizer.bos_token_id
    ends = prompt[-1:] == [end] != [begin]
    begins_twice = prompt[:2] == [begin, begin]
    if not (ends or begins_twice):
        return prompt
    text_ids = _ids(tokenizer, [text], add_special_tokens=False)[0]
    if ends and _run_length(reversed(prompt), end) > _run_length(reversed(text_ids), end):
        prompt = prompt[:-1]
    if begins_twice and _run_length(text_ids, begin) == 1:
        prompt = prompt[1:]
    return prompt


def _run_length(ids: Iterable[int], token: int) -> int:
    """How many of the first ids are `token`."""
    return sum(1 for _ in takewhile(lambda number: number == token, ids))


def _cut(tokenizer: PreTrainedTokenizerBase, prompt: list[int], room: int) -> list[int]:
    """The last `room` tokens of a prompt; its beginning-of-sequence token stays."""
    if len(prompt) <= room:
        return prompt
    end = prompt[len(prompt) - room :]
    return [prompt[0], *end[1:]] if prompt[0] == tokenizer.bos_token_id else end


def _remedy(max_length: int, context: int | None, skippable: bool) -> str:
    """What to do about an answer that does not fit."""
    leave_out = "leave the example out"
    if skippable:
        leave_out = "leave such examples out with skip_too_long=True (--skip-too-long)"
    if context is not None and max_length >= context:
        return f"{leave_out}, or use a model with a longer context"
    limit = "the model's context" if context is None else f"the model's context of {context}"
    return f"{leave_out}, or raise the maximum length, at most to {limit}"


def collate(
    batch: Sequence[Encoded], pad: int, side: Literal["right", "left"] = "right"
) -> dict[str, Tensor]:
    """Pad a batch and label its answer tokens.

    Args:
        batch: B encoded examples.
        pad: the id to pad with; attention mask and labels hide it, so any id will do.
        side: where the padding goes; left for generation.

    Returns:
        `input_ids`, `attention_mask` and `labels`, each (B, longest); labels are `IGNORED` outside
        the answer, and in it where nothing is learned. Left-padded batches also carry
        `position_ids`, so that padding moves nothing.
    """
    length = max(len(item) for item in batch)
    ids = torch.full((len(batch), length), pad, dtype=torch.long)
    attention = torch.zeros((len(batch), length), dtype=torch.long)
    labels = torch.full((len(batch), length), IGNORED, dtype=torch.long)
    for row, item in enumerate(batch):
        start = 0 if side == "right" else length - len(item)
        stop = start + len(item)
        ids[row, start:stop] = torch.tensor(item.prompt + item.answer)
        attention[row, start:stop] = 1
        labels[row, start + len(item.prompt) : stop] = torch.tensor(item.targets)
    out = {"input_ids": ids, "attention_mask": attention, "labels": labels}
    if side == "left":
        out["position_ids"] = (attention.cumsum(1) - 1).clamp(min=0)
    return out


def to_device(batch: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """A batch where the model is.

    Args:
        batch: tensors on the CPU.
        device: the model's.

    Returns:
        The same tensors on the device. They are on their way to a GPU from memory that it reads
        itself, while the caller goes on.
    """
    if device.type != "cuda":
        return {name: tensor.to(device) for name, tensor in batch.items()}
    return {
        name: tensor.pin_memory().to(device, non_blocking=True) for name, tensor in batch.items()
    }


def text_logits(logits: Tensor, length: int) -> Tensor:
    """The logits of a text's own tokens, without those of virtual tokens before it.

    Prompt tuning, p-tuning and CPT put learned tokens before every text, and their logits before
    the text's.

    Args:
        logits: (B, virtual tokens + T, vocabulary).
        length: T, the tokens of the batch as it was passed to the model.

    Returns:
        (B, T, vocabulary), a view.
    """
    return logits[:, logits.shape[1] - length :]


def batches_by_length(encoded: Sequence[Encoded], size: int) -> Iterator[list[int]]:
    """Divide examples into batches of similar length, so that there is little padding.

    Args:
        encoded: the examples.
        size: examples per batch; the last may have fewer.

    Yields:
        The indices of the examples of one batch.
    """
    order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
    for start in range(0, len(order), size):
        yield order[start : start + size]
