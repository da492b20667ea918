"""Dialogues that a chat model makes up alone: it writes the user's turn, then answers it."""

from collections.abc import Sequence
from typing import Literal

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import SettingError
from fggm_lab.models.build import context_length
from fggm_lab.models.chat import chat_answer_text, chat_prompt_text
from fggm_lab.models.encoding import Encoded, collate
from fggm_lab.models.generation import generate_tokens, handles_left_padding
from fggm_lab.tasks.chat import ChatPrompt

Form = Literal["auto", "text", "dialogue"]
"""What is drawn: plain texts, dialogues, or dialogues where the tokenizer has a chat template."""

_CONTENT = "CONTENT"
"""Content of a turn, by which the words that the template writes around it are found."""


def draws_dialogues(form: Form, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether dialogues are what is drawn."""
    has_template = bool(getattr(tokenizer, "chat_template", None))
    return form == "dialogue" or (form == "auto" and has_template)


def own_dialogues(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    count: int,
    *,
    length: int = 64,
    max_length: int | None = None,
    seed: int = 0,
    batch_size: int = 64,
) -> list[Encoded]:
    """Draw dialogues of one question and one answer, both the model's own.

    The model continues the tokenizer's chat template from where a user's turn begins, and then from
    where the answer to it begins, each time at temperature 1, without top-k or top-p, whatever its
    `generation_config` says. The state of torch's random generators is restored afterwards.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer, with a chat template.
        count: the number of dialogues.
        length: the most tokens of a turn.
        max_length: the most tokens of a dialogue, the template's included (None: the context).
        seed: the same seed draws the same dialogues.
        batch_size: how many are drawn at once; another size draws other dialogues.

    Returns:
        `count` examples: the prompt is the user's turn as the template writes it, up to where the
        answer begins; the answer is what was drawn, up to and with the token that ends the turn.

    Raises:
        SettingError: `count` or `length` is below 1, or a dialogue does not fit into `max_length`.
        DataError: the tokenizer has no chat template.
    """
    if count < 1 or length < 1:
        raise SettingError(f"{count} dialogues of {length} tokens a turn; both must be 1 or more")
    context = context_length(model)
    most = context if max_length is None else min(max_length, context)
    turn_of_user = ChatPrompt([("user", _CONTENT)])
    before, _, between = chat_prompt_text(tokenizer, turn_of_user).partition(_CONTENT)
    after = chat_answer_text(tokenizer, turn_of_user, _CONTENT).partition(_CONTENT)[2]
    opening, closing = _ids(tokenizer, before), _ids(tokenizer, between)
    turn = min(length, (most - len(opening) - len(closing)) // 2)
    if turn < 1:
        raise SettingError(
            f"the chat template has {len(opening) + len(closing)} tokens around a user's turn, "
            f"which leaves no room for a dialogue within {most}; raise the maximum length, or draw "
            "plain texts"
        )
    drawn: list[Encoded] = []
    training = model.training
    model.eval()
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            while len(drawn) < count:
                rows = min(batch_size, count - len(drawn))
                end = _end(tokenizer, between)
                questions = [
                    _content_of(tokenizer, tokens, end, between)[:turn]
                    for tokens in _continued(model, tokenizer, [opening] * rows, turn, end)
                ]
                prompts = [opening + question + closing for question in questions]
                end = _end(tokenizer, after)
                answers = _continued(model, tokenizer, prompts, turn, end)
                drawn += [
                    Encoded(tuple(prompt), tuple(_until(answer, end)), False)
                    for prompt, answer in zip(prompts, answers, strict=True)
                ]
    finally:
        model.train(training)
    return drawn


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The token ids of what the template writes, which has its beginning token itself."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
    return ids


def _end(tokenizer: PreTrainedTokenizerBase, following: str) -> int | None:
    """The token that ends a turn: the template's mark after it, or the end token."""
    first = next(iter(_ids(tokenizer, following)), None)
    end: int | None = tokenizer.eos_token_id
    marks = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    return first if first in marks else end


def _continued(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    length: int,
    end: int | None,
) -> list[list[int]]:
    """At most `length` tokens drawn after each prompt; what follows the end token is padding."""
    pad = next(i for i in (tokenizer.pad_token_id, end, 0) if i is not None)
    items = [Encoded(tuple(prompt), (), False) for prompt in prompts]
    alike = len({len(prompt) for prompt in prompts}) == 1
    size = len(items) if alike or handles_left_padding(model, prompts, pad) else 1
    drawn: list[list[int]] = []
    for first in range(0, len(items), size):
        batch = collate(items[first : first + size], pad, side="left")
        drawn += generate_tokens(
            model,
            batch["input_ids"].to(model.device),
            batch["attention_mask"].to(model.device),
            max_new_tokens=length,
            end=end,
            pad=pad,
            temperature=1.0,
        ).tolist()
    return drawn


def _until(tokens: list[int], end: int | None) -> list[int]:
    """The tokens up to and with the first end token."""
    return tokens[: tokens.index(end) + 1] if end in tokens else tokens


def _content_of(
    tokenizer: PreTrainedTokenizerBase, tokens: list[int], end: int | None, between: str
) -> list[int]:
    """What a turn says, without what ends it: a token, or the template's words after it."""
    content = [token for token in _until(tokens, end) if token != end]
    text, words, _ = tokenizer.decode(content).partition(between.strip() or "\0")
    return _ids(tokenizer, text) if words else content
