"""Tasks from tables that a program holds: lists of rows, data frames, a `datasets.Dataset`."""

from collections.abc import Mapping
from typing import Any, get_args

from fggm_lab.errors import DataError, nearest
from fggm_lab.tasks.coerce import as_examples
from fggm_lab.tasks.metrics import PASS_AT_1, metric_for
from fggm_lab.tasks.row_formats import check_tests
from fggm_lab.tasks.task import SPLITS, Example, Split, Task

IN_MEMORY = "tables in memory"
"""What a sequence of such tasks is called in a run's configuration."""

_VALIDATION = "validation"
"""Another name of the `eval` split."""


def tasks_of_tables(tables: Mapping[Any, Any]) -> dict[str, Task]:
    """Turn tables into tasks.

    Args:
        tables: task name → split (`train`, `test`, and `eval` or `validation` if there is one) →
            its rows, in a form that `as_examples` reads.

    Returns:
        The tasks by name, in the order of `tables`.

    Raises:
        DataError: a task or a split is missing or empty, or a row cannot be read; the message names
            the task, the split and the row.
    """
    if not tables:
        raise DataError("there are no tasks; give a dictionary of task name → split → rows")
    return {str(name): _task(str(name), splits) for name, splits in tables.items()}


def _task(name: str, tables: Any) -> Task:
    if not isinstance(tables, Mapping):
        raise DataError(
            f"task {name} is of type {type(tables).__name__}; give a dictionary of its splits, "
            '{"train": rows, "test": rows}'
        )
    names = (*get_args(Split), _VALIDATION)
    for split in tables:
        if split not in names:
            raise DataError(
                f"task {name} has a split named {split!r}; splits are: {', '.join(names)}"
                f"{nearest(str(split), names)}"
            )
    if "eval" in tables and _VALIDATION in tables:
        raise DataError(f"task {name} has both eval and validation; give one of them")
    tables = {"eval" if split == _VALIDATION else split: rows for split, rows in tables.items()}
    for split in ("train", "test"):
        if split not in tables:
            raise DataError(f"task {name} has no {split} split; add it")
    train, held_out, test = (
        _examples(f"task {name}, {split} split", tables[split]) if split in tables else ()
        for split in SPLITS
    )
    tested = all(example.test for example in (*train, *held_out, *test))
    return Task(name, train, held_out, test, PASS_AT_1 if tested else metric_for(name))


def _examples(where: str, rows: Any) -> tuple[Example, ...]:
    try:
        items = as_examples(rows)
    except DataError as problem:
        raise DataError(f"{where}: {problem}") from None
    if not items:
        raise DataError(f"{where}: there are no rows; add some, or leave the split out")
    examples = []
    for index, item in enumerate(items):
        if not isinstance(item.prompt, str) and not isinstance(item, Example):
            raise DataError(
                f"{where}: example {index} holds token ids; give the texts of prompt and answer"
            )
        examples.append(item if isinstance(item, Example) else Example(item.prompt, item.answer))
    check_tests(examples, lambda index: f"{where}: example {index}")
    return tuple(examples)
