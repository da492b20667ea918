"""Examples in whatever form a user has them: records, dictionaries, pairs, a table, a task."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fggm_lab.errors import DataError
from fggm_lab.tasks.row_formats import COLUMNS, to_examples
from fggm_lab.tasks.task import Example, Task, TaskSequence

_FORMS = (
    "an object with .prompt and .answer, a (prompt, answer) pair, or a dict with the keys "
    f"{COLUMNS}"
)


def as_examples(examples: Any) -> list[Any]:
    """Turn examples of any accepted form into objects with a prompt and an answer.

    Args:
        examples: a `Task`, of which the training split is meant, a table (a `datasets.Dataset`, a
            data frame of pandas or polars, an Arrow table), or any iterable of examples. An example
            is an object with `.prompt` and `.answer` (texts, or token ids as in
            `fggm_lab.models.Encoded`), a pair of texts, or a dictionary or table row with the keys
            that `fggm_lab.tasks.read_examples` reads.

    Returns:
        The examples in order: those with attributes as they are, the others as `Example`.

    Raises:
        DataError: it is a sequence of tasks, a text, a single example or no iterable, or an example
            has another form; the message says which.
    """
    if isinstance(examples, Task):
        examples = examples.train
    if isinstance(examples, TaskSequence):
        raise DataError(
            "these are the tasks of a sequence, and examples of one task are needed; pass one of "
            f"them, such as tasks['{examples.names[0]}']"
        )
    if isinstance(examples, Mapping) and not any(isinstance(v, str) for v in examples.values()):
        names = ", ".join(map(repr, examples))
        raise DataError(f"examples is a dict with the keys {names}; pass the rows of one split")
    rows = _table_rows(examples)
    if isinstance(rows, Mapping) or hasattr(rows, "prompt"):
        raise DataError("examples is a single example; put it into a list")
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        raise DataError(
            f"examples is of type {type(examples).__name__}; pass a task or a list, each example "
            f"{_FORMS}"
        )
    return _as_examples(list(rows))


def _table_rows(table: Any) -> Any:
    """The rows of a table as dictionaries; anything else as it is."""
    # The libraries are recognised by their methods, for the lab needs none of them.
    if not hasattr(table, "columns"):
        return table
    if hasattr(table, "to_dicts"):  # polars
        return table.to_dicts()
    if hasattr(table, "to_pylist"):  # pyarrow
        return table.to_pylist()
    if hasattr(table, "to_dict"):  # pandas
        return [
            {key: cell.tolist() if hasattr(cell, "tolist") else cell for key, cell in row.items()}
            for row in table.to_dict("records")
        ]
    return table


def _as_examples(rows: Sequence[Any]) -> list[Any]:
    """Examples of rows, dictionaries all in one format."""
    indices = [index for index, row in enumerate(rows) if isinstance(row, Mapping)]
    converted = iter(to_examples([rows[i] for i in indices], lambda i: f"example {indices[i]}"))
    return [
        next(converted) if isinstance(row, Mapping) else _as_example(row, index)
        for index, row in enumerate(rows)
    ]


def _as_example(example: Any, index: int) -> Any:
    """One example that is no dictionary."""
    if hasattr(example, "prompt") and hasattr(example, "answer"):
        for name in ("prompt", "answer"):
            if not isinstance(text := getattr(example, name), str | Sequence):
                raise _no_text(name, index, text)
        return example
    if not (isinstance(example, tuple | list) and len(example) == 2):
        size = f" of {len(example)}" if isinstance(example, tuple | list) else ""
        raise DataError(
            f"example {index} is of type {type(example).__name__}{size}; an example is {_FORMS}"
        )
    for name, text in zip(("prompt", "answer"), example, strict=True):
        if not isinstance(text, str):
            raise _no_text(name, index, text)
    return Example(*example)


def _no_text(name: str, index: int, value: Any) -> DataError:
    return DataError(
        f"the {name} of example {index} is of type {type(value).__name__}; it must be a text"
    )
