"""Leaving out, and counting, what does not fit into the tokens that a model reads at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from transformers import PreTrainedTokenizerBase

from fggm_lab.errors import DataError
from fggm_lab.models.encoding import fitting_examples
from fggm_lab.tasks import Choice, Example, General, Split, Task, TaskSequence

Skipped = Mapping[str, int]
"""The name of a split or a skill → how many of its examples were left out; none without any."""


def fitting_indices(
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Example | Choice],
    max_length: int,
    where: str,
) -> list[int]:
    """The examples whose answers, or the questions whose every choice, leave room for a prompt.

    Args:
        tokenizer: must have an end token.
        items: examples or questions.
        max_length: the most tokens of a prompt with its answer.
        where: what the items are of, for an error.

    Returns:
        Their indices, rising.

    Raises:
        DataError: there are items, and none of them fits.
    """
    answers = [
        (index, Example(item.prompt, text))
        for index, item in enumerate(items)
        for text in (item.choices if isinstance(item, Choice) else [item.answer])
    ]
    fitting = set(fitting_examples(tokenizer, [answer for _, answer in answers], max_length))
    too_long = {index for at, (index, _) in enumerate(answers) if at not in fitting}
    if items and len(too_long) == len(items):
        raise DataError(
            f"no answer of {where} fits into {max_length} tokens; raise max_length, or use a model "
            "with a longer context"
        )
    return [index for index in range(len(items)) if index not in too_long]


def fitting_tasks(
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    splits: Sequence[Split],
    max_length: int,
) -> tuple[TaskSequence, Mapping[str, Skipped]]:
    """A sequence without the examples whose answers do not fit.

    Args:
        tokenizer: must have an end token.
        tasks: the sequence.
        splits: of which splits; the others stay as they are.
        max_length: the most tokens of a prompt with its answer.

    Returns:
        The sequence, and task → split → examples left out, of tasks with any.

    Raises:
        DataError: of a split of a task no example fits.
    """
    shortened: list[Task] = []
    skipped: dict[str, Skipped] = {}
    for task in tasks:
        examples: dict[str, Sequence[Example]] = {name: task.split(name) for name in splits}
        fitting: dict[str, Sequence[Example]] = {}
        for name in splits:
            where = f"task {task.name}, {name} split,"
            indices = fitting_indices(tokenizer, examples[name], max_length, where)
            fitting[name] = tuple(examples[name][index] for index in indices)
        shortened.append(replace(task, **fitting))  # type: ignore[arg-type]
        if counts := _counts(examples, fitting):
            skipped[task.name] = counts
    return TaskSequence(shortened, tasks.source), skipped


def fitting_general(
    tokenizer: PreTrainedTokenizerBase, general: General, max_length: int
) -> tuple[General, Skipped]:
    """General without the examples and questions whose answers or choices do not fit.

    Args:
        tokenizer: must have an end token.
        general: what General is measured on; a text stays as it is.
        max_length: the most tokens of a prompt with its answer or choice.

    Returns:
        General, whose name says how many were left out, so that it is not compared with the whole;
        and skill → examples left out, of skills with any.

    Raises:
        DataError: of a skill no example fits.
    """

    def fitting(skill: str, items: Sequence[Example | Choice]) -> tuple[Any, ...]:
        indices = fitting_indices(tokenizer, items, max_length, f"skill {skill}")
        return tuple(items[index] for index in indices)

    skills = {name: fitting(name, examples) for name, examples in general.skills.items()}
    choices = {name: fitting(name, questions) for name, questions in general.choices.items()}
    skipped = _counts(general.skills, skills) | _counts(general.choices, choices)
    if not skipped:
        return general, {}
    name = f"{general.name} (without {sum(skipped.values())} too long)"
    return replace(general, name=name, skills=skills, choices=choices), skipped


def _counts(
    items_by_name: Mapping[str, Sequence[object]], fitting: Mapping[str, Sequence[object]]
) -> dict[str, int]:
    """By how much each of the sets that became smaller did."""
    return {
        name: len(items) - len(fitting[name])
        for name, items in items_by_name.items()
        if len(fitting[name]) < len(items)
    }
