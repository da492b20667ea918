"""Dialogues that a chat model makes up alone: it writes the user's turn, then answers it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Literal

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count
from fggm_lab.errors import SettingError
from fggm_lab.models.build import context_length
from fggm_lab.models.chat import CONTENT, chat_answer_text, chat_prompt_text
from fggm_lab.models.encoding import Encoded
from fggm_lab.models.sampling import beginning_token, continued_samples
from fggm_lab.seeds import derived_seed
from fggm_lab.tasks.chat import ChatPrompt

Form = Literal["auto", "text", "dialogue"]
"""What is drawn: plain texts, dialogues, or dialogues where the tokenizer has a chat template."""

_USER_TURN = ChatPrompt([("user", CONTENT)])


def draws_dialogues(form: Form, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether dialogues are what is drawn."""
    has_template = bool(getattr(tokenizer, "chat_template", None))
    return form == "dialogue" or (form == "auto" and has_template)


def own_dialogues(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    count: int,
    *,
    openings: Sequence[Sequence[int]] | None = None,
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
        openings: for each dialogue the token ids that its question begins with, none or a few.
        length: the most tokens of a turn.
        max_length: the most tokens of a dialogue, the template's included (None: the context).
        seed: the same seed draws the same dialogues.
        batch_size: how many are drawn at once; another size draws other dialogues.

    Returns:
        `count` examples: the prompt is the user's turn as the template writes it, up to where the
        answer begins; the answer is what was drawn, up to and with the token that ends it.

    Raises:
        SettingError: `count` or `length` is below 1, or a dialogue does not fit into `max_length`.
        DataError: the tokenizer has no chat template.
        ModelError: the template writes nothing before a user's turn, and there is no token to begin
            with.
    """
    check_count("count", count)
    check_count("length", length)
    context = context_length(model)
    most = context if max_length is None else min(max_length, context)
    begun = [list(opening) for opening in openings or [()] * count]
    before, between = _around_user(tokenizer)
    after = chat_answer_text(tokenizer, _USER_TURN, CONTENT).partition(CONTENT)[2]
    start = _ids(tokenizer, before) or [beginning_token(tokenizer)]
    closing = _ids(tokenizer, between)
    around = len(start) + len(closing) + max(map(len, begun))
    turn = min(length, (most - around) // 2)
    if turn < 1:
        raise SettingError(
            f"the chat template has {around} tokens around a user's turn, "
            f"which leaves no room for a dialogue within {most}; raise the maximum length, or draw "
            "plain texts"
        )
    ends = {_mark(tokenizer, between), tokenizer.eos_token_id}
    questions = [
        opening + _content_of(tokenizer, item.answer, ends, between)[:turn]
        for opening, item in zip(
            begun,
            continued_samples(
                model,
                tokenizer,
                [start + opening for opening in begun],
                length=turn,
                seed=seed,
                batch_size=batch_size,
            ),
            strict=True,
        )
    ]
    prompts = [start + question + closing for question in questions]
    seed = derived_seed(seed, 0, "answers")
    answers = continued_samples(
        model, tokenizer, prompts, length=turn, seed=seed, batch_size=batch_size
    )
    ends = {_mark(tokenizer, after)}
    return [replace(item, answer=_until(item.answer, ends)) for item in answers]


def question_openings(
    tokenizer: PreTrainedTokenizerBase, prompts: Iterable[Sequence[int]], length: int
) -> list[tuple[int, ...]]:
    """The first tokens of the first question in each prompt, for the dialogues drawn after a task.

    Args:
        tokenizer: with a chat template.
        prompts: as token ids, as the template writes them, or plain.
        length: how many tokens.

    Returns:
        For each prompt at most so many; none where its first question cannot be told.
    """
    before = _ids(tokenizer, _around_user(tokenizer)[0])
    special = _special(tokenizer)
    first = max((at for at, token in enumerate(before) if token in special), default=0)
    mark = tuple(before[first:])  # such as <|im_start|>user and a line's end
    openings = []
    for prompt in prompts:
        matches = (at for at in range(len(prompt)) if tuple(prompt[at : at + len(mark)]) == mark)
        start = next(matches, None) if mark else None
        if start is None:  # a plain prompt, unless it has marks of another template
            start = len(list(takewhile(special.__contains__, prompt)))
            question = prompt[start:] if special.isdisjoint(prompt[start:]) else ()
        else:
            question = prompt[start + len(mark) :]
        text = takewhile(lambda token: token not in special, question[:length])
        openings.append(tuple(text))
    return openings


def _around_user(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """What the chat template writes before a conversation's first question, and after it."""
    before, _, between = chat_prompt_text(tokenizer, _USER_TURN).partition(CONTENT)
    return before, between


def _special(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """The tokens that are no text."""
    return {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The token ids of what the template writes, which has its beginning token itself."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"] if text else []
    return ids


def _mark(tokenizer: PreTrainedTokenizerBase, following: str) -> int | None:
    """The special token that the template writes after a turn, if it does."""
    first = next(iter(_ids(tokenizer, following)), None)
    return first if first in _special(tokenizer) else None


def _until(tokens: Sequence[int], ends: set[int | None]) -> tuple[int, ...]:
    """The tokens up to and with the first that ends a turn."""
    stop = next((i + 1 for i, token in enumerate(tokens) if token in ends), len(tokens))
    return tuple(tokens[:stop])


def _content_of(
    tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int], ends: set[int | None], between: str
) -> list[int]:
    """What a turn says, without what ends it: a token, or the template's words after it."""
    content = [token for token in _until(tokens, ends) if token not in ends]
    text, words, _ = tokenizer.decode(content).partition(between.strip() or "\0")
    return _ids(tokenizer, text) if words else content
