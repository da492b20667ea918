"""Multiple choice: questions with choices, read from JSON, and which choice was made.

A choice is made by likelihood, the choice that the model finds most likely after the prompt, or by
generation, the choice that its answer begins with.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fggm_lab.errors import DataError, SettingError, nearest
from fggm_lab.tasks.decided import is_decided
from fggm_lab.tasks.metrics import lenient_match
from fggm_lab.tasks.row_formats import check_text, kind_of

ChooseBy = Literal["character", "token", "sum", "generation"]
"""How a choice is made; `CHOOSE` says what each means."""

CHOOSE: dict[ChooseBy, str] = {
    "character": "log-likelihood per character of the choice",
    "token": "log-likelihood per token of the choice",
    "sum": "log-likelihood of the whole choice",
    "generation": "the choice that the greedy answer begins with",
}
"""How a choice is made → what that is.

A sum favours short choices. Per character (lm-evaluation-harness's `acc_norm`; GPT-3's is per
token) does so least and is the same for every tokenizer: the lab's default. The space that joins a
choice to its prompt is no character of it, as there."""

DEFAULT: ChooseBy = "character"


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with its choices.

    Attributes:
        prompt: the question.
        choices: the texts to choose from, two or more.
        label: the 0-based index of the right one.
    """

    prompt: str
    choices: tuple[str, ...]
    label: int


def check_choose(by: str) -> None:
    """Check a way of making choices.

    Args:
        by: a key of `CHOOSE`.

    Raises:
        SettingError: it is none.
    """
    if by not in CHOOSE:
        raise SettingError(
            f"choices cannot be made by '{by}'{nearest(by, list(CHOOSE))}; there are: "
            f"{', '.join(CHOOSE)}"
        )


def holds_choices(items: Any) -> bool:
    """Whether JSON is a list whose first item has choices."""
    return (
        isinstance(items, list)
        and bool(items)
        and isinstance(items[0], dict)
        and "choices" in items[0]
    )


def to_choices(path: Path | str, items: Sequence[Any]) -> tuple[Choice, ...]:
    """A JSON list of `{"prompt": ..., "choices": [...], "label": ...}` as questions.

    The label is the 0-based index of the right choice, or its text.

    Args:
        path: of the file they are from, for errors.
        items: the list.

    Returns:
        One question for each item.

    Raises:
        DataError: an item is not so; the message names the file, the item's index and the field.
    """
    questions = tuple(_choice(path, index, item) for index, item in enumerate(items))
    joined = [q for q in questions if any(_run_together(q.prompt, c) for c in q.choices)]
    if len(joined) > len(questions) / 2:
        text = f"…{joined[0].prompt[-20:]}{joined[0].choices[0]}"
        warnings.warn(
            f"{path}: prompts and choices run together without a space ({text!r}), which a model "
            "finds unlikely; begin each choice with its space, or end the prompt with white space",
            stacklevel=2,
        )
    return questions


def _run_together(prompt: str, choice: str) -> bool:
    """Whether words of a language that parts words by spaces meet without one."""
    joint = prompt[-1:] + choice[:1]
    return joint.isascii() and not prompt[-1:].isspace() and choice[:1].isalnum()


def _choice(path: Path | str, index: int, item: Any) -> Choice:
    where = f"{path}, item {index}"
    if not isinstance(item, dict):
        raise DataError(f"{where}: is {kind_of(item)}; make it an object with 'prompt', 'choices' "
                        "and 'label'")  # fmt: skip
    for key in ("prompt", "choices", "label"):
        if key not in item:
            raise DataError(
                f"{where}: has no '{key}'; in a file of choices every item has 'prompt', 'choices' "
                "and 'label'"
            )
    check_text(where, "prompt", item["prompt"])
    choices = item["choices"]
    if not isinstance(choices, list) or len(choices) < 2:
        raise DataError(f"{where}: 'choices' is no list of two or more; write one text per choice")
    for choice in choices:
        check_text(where, "choices", choice)
        if not choice.strip():
            raise DataError(f"{where}: a choice is empty; write it or remove it")
    if len(set(choices)) < len(choices):
        raise DataError(f"{where}: a choice stands there twice; write each once")
    return Choice(item["prompt"], tuple(choices), _label(where, choices, item["label"]))


def _label(where: str, choices: list[str], label: Any) -> int:
    if isinstance(label, str):
        if label in choices:
            return choices.index(label)
        raise DataError(
            f"{where}: the label '{label}' is none of the choices; write one of them as it stands, "
            "or its place from 0"
        )
    if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < len(choices):
        shown = label if isinstance(label, int | float) else kind_of(label)
        raise DataError(
            f"{where}: the label is {shown}; it must be a place from 0 to {len(choices) - 1}, or "
            "the text of a choice"
        )
    return label


def most_likely(
    question: Choice, sums: Sequence[float], tokens: Sequence[int], by: ChooseBy
) -> int:
    """Which choice is made by likelihood.

    Args:
        question: with its choices.
        sums: log-likelihood of each choice, nats, summed over its tokens.
        tokens: number of tokens of each choice.
        by: `character`, `token` or `sum`.

    Returns:
        The index of the choice with the highest likelihood per character or token, or sum; of
        equal ones the first.
    """
    lengths = {
        "character": [len(choice.lstrip()) for choice in question.choices],
        "token": list(tokens),
        "sum": [1] * len(sums),
    }[by]
    values = [total / length for total, length in zip(sums, lengths, strict=True)]
    return values.index(max(values))


def chosen_by_text(question: Choice, text: str) -> int | None:
    """Which choice a generated answer makes.

    It is the choice itself, else the longest one whose words the answer begins with, so that
    `B. Because …` chooses `B`.

    Args:
        question: with its choices.
        text: the answer.

    Returns:
        The index of the choice; None if it makes none.
    """
    for index, choice in enumerate(question.choices):
        if text.strip() == choice.strip():
            return index
    begun = [i for i, choice in enumerate(question.choices) if lenient_match(text, choice)]
    return max(begun, key=lambda i: len(question.choices[i]), default=None)


def is_choice_decided(question: Choice, text: str) -> bool:
    """Whether no continuation of an unfinished answer changes the choice it makes.

    Args:
        question: with its choices.
        text: what a model has written so far.

    Returns:
        True where the choice is decided: none of the choices may still become the whole answer,
        or what it begins with.
    """
    return all(is_decided("accuracy", question.prompt, text, choice) for choice in question.choices)
