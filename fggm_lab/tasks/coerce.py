"""Examples in whatever form a user has them: as records, dictionaries, pairs, or a task."""

from collections.abc import Iterable, Mapping
from typing import Any

from fggm_lab.errors import DataError
from fggm_lab.tasks.task import Example, Task, TaskSequence

_FORMS = "an object with .prompt and .answer, a dict with these keys, or a (prompt, answer) pair"


def as_examples(examples: Any) -> list[Any]:
    """Turn examples of any accepted form into objects with a prompt and an answer.

    Args:
        examples: a `Task`, of which the training split is meant, or any iterable of examples. An
            example is an object with `.prompt` and `.answer` (texts, or token ids as in
            `fggm_lab.models.Encoded`), a dictionary with these two keys, or a pair of texts.

    Returns:
        The examples in order: those with attributes as they are, the others as `Example`.

    Raises:
        DataError: it is a sequence of tasks, a text, a single example or no iterable, or an example
            has another form; the message says which.
    """
    if isinstance(examples, Task):
        return list(examples.train)
    if isinstance(examples, TaskSequence):
        raise DataError(
            "these are the tasks of a sequence, and examples of one task are needed; pass one of "
            f"them, such as tasks['{examples.names[0]}']"
        )
    if isinstance(examples, Mapping) or hasattr(examples, "prompt"):
        raise DataError("examples is a single example; put it into a list")
    if isinstance(examples, str | bytes) or not isinstance(examples, Iterable):
        raise DataError(
            f"examples is of type {type(examples).__name__}; pass a task or a list, each example "
            f"{_FORMS}"
        )
    return [_as_example(example, index) for index, example in enumerate(examples)]


def _as_example(example: Any, index: int) -> Any:
    if hasattr(example, "prompt") and hasattr(example, "answer"):
        return example
    if isinstance(example, Mapping):
        missing = [key for key in ("prompt", "answer") if key not in example]
        if missing:
            raise DataError(
                f"example {index} is a dict without the key '{missing[0]}'; it needs 'prompt' and "
                "'answer'"
            )
        prompt, answer = example["prompt"], example["answer"]
    elif isinstance(example, tuple | list) and len(example) == 2:
        prompt, answer = example
    else:
        size = f" of {len(example)}" if isinstance(example, tuple | list) else ""
        raise DataError(
            f"example {index} is of type {type(example).__name__}{size}; an example is {_FORMS}"
        )
    for name, text in (("prompt", prompt), ("answer", answer)):
        if not isinstance(text, str):
            raise DataError(
                f"the {name} of example {index} is of type {type(text).__name__}; it must be a text"
            )
    return Example(prompt, answer)
