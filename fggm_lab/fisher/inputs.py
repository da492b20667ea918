"""What scores are of: the examples that are drawn, as token ids."""

from collections.abc import Mapping, Sequence

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, SettingError
from fggm_lab.models.encoding import Encoded, HasPromptAndAnswer, encode
from fggm_lab.tasks.task import Task

Examples = (
    Task
    | Sequence[HasPromptAndAnswer | Encoded]
    | Sequence[Mapping[str, str]]
    | Sequence[tuple[str, str]]
)
"""What can be scored on; see `fggm_lab.tasks.coerce.as_examples`."""


def drawn_examples(
    count: int, limit: int | None, only: Sequence[int] | None, seed: int
) -> list[int]:
    """Choose the examples that scores are of.

    Args:
        count: how many examples there are.
        limit: how many of them to draw (None: take all).
        only: take those with these indices, instead.
        seed: of the draw.

    Returns:
        The indices, in order.

    Raises:
        DataError: there are no examples.
        SettingError: `limit` and `only` are both given, or `only` names indices that are not there.
    """
    if not count or (only is not None and not len(only)):
        raise DataError("there are no examples to score; pass at least one prompt and answer")
    if only is not None:
        if limit is not None:
            raise SettingError("max_examples and only both choose the examples; give one of them")
        if not all(0 <= number < count for number in only):
            raise SettingError(f"only names indices outside the {count} examples, 0 to {count - 1}")
        return sorted(set(only))
    if limit is None or limit >= count:
        return list(range(count))
    rng = np.random.Generator(np.random.PCG64(seed))
    return sorted(int(i) for i in rng.choice(count, limit, replace=False))


def encoded_examples(
    tokenizer: PreTrainedTokenizerBase | None,
    examples: Sequence[HasPromptAndAnswer | Encoded],
    numbers: Sequence[int],
    length: int,
) -> list[Encoded]:
    """The numbered examples as token ids, every one with an answer.

    Args:
        tokenizer: of the model; None will do where all examples are token ids already.
        examples: all that there are.
        numbers: the indices of those that are encoded.
        length: the most tokens of one; longer prompts are cut from the left.

    Returns:
        One for each number, in order.

    Raises:
        DataError: an answer is empty, or longer than `length`.
        SettingError: an example is text and there is no tokenizer.
    """
    numbered = [(number, examples[number]) for number in numbers]
    for number, example in numbered:
        if not example.answer:
            raise DataError(
                f"the answer of example {number} is empty, so there is nothing to learn from it; "
                "leave the example out or give it an answer"
            )
    encoded = []
    for number, example in numbered:
        if isinstance(example, Encoded):
            encoded.append(example)
        elif tokenizer is None:
            raise SettingError(f"example {number} is text; pass the tokenizer that reads it")
        else:
            encoded += encode(tokenizer, [example], length, [number])
    return encoded


def padding_id(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None) -> int:
    """The id to pad with; attention mask and labels hide it, so that it changes no score."""
    owner = model.config if tokenizer is None else tokenizer
    for name in ("pad_token_id", "eos_token_id"):
        token = getattr(owner, name, None)
        if isinstance(token, int) and token >= 0:
            return token
    return 0
