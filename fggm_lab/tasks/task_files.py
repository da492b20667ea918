"""Reading task sequences in TRACE's layout: <Task>/{train,eval,test}.json, or .jsonl, .parquet."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fggm_lab.checks import check_path
from fggm_lab.errors import DataError, SettingError, nearest
from fggm_lab.files import digest
from fggm_lab.tasks.chat import ChatPrompt
from fggm_lab.tasks.in_memory import IN_MEMORY, tasks_of_tables
from fggm_lab.tasks.metrics import PASS_AT_1, metric_for
from fggm_lab.tasks.row_formats import check_tests, kind_of, to_examples
from fggm_lab.tasks.rows import SUFFIXES, is_saved_dataset, read_rows
from fggm_lab.tasks.shards import shards
from fggm_lab.tasks.shipped import SEQUENCES, data_folder
from fggm_lab.tasks.task import SPLITS, Example, Split, Task, TaskSequence
from fggm_lab.tasks.trace import (
    ORDERS,
    REPLAY_SET,
    TRACE_ORDER,
    check_complete,
    looks_like_trace,
    names_in_order,
    variant_folder,
)

_OTHER_FORMS = (
    ".jsonl, .parquet, .arrow, shards named {split}-00000-of-00001.parquet, or a folder of that "
    "name saved with save_to_disk"
)
"""What a split may be instead of a .json file, for messages."""


def load_tasks(
    source: str | Path | Mapping[str, Any],
    order: str | Sequence[str] | None = None,
    limit: int | None = None,
    *,
    variant: str | int | None = None,
    allow_missing: bool = False,
) -> TaskSequence:
    """Load a task sequence.

    Args:
        source: `"trace-mini"`, `"code-mini"` or `"real-mini"` (shipped), a folder of task folders
            in TRACE's layout, a folder that is one task itself (a saved `datasets.DatasetDict`,
            say), or TRACE's release: its top folder or that of one variant. A split is a file that
            `read_examples` reads, or its shards as the Hugging Face Hub names them
            (`train-00000-of-00002.parquet`, also in a folder `data`).
            Or tables in memory: task name → split → rows, a list of dictionaries, a
            `datasets.Dataset` or a data frame; without `order` the tasks keep their order.
            Sub-folders whose name starts with `.` or `_` are passed over, and so is TRACE's replay
            set Lima beside its tasks.
        order: what to load, in the order it is to be learned: names of tasks (only these are
            read), or `"trace-1"` or `"trace-2"`, TRACE's official orders. Without it: TRACE's
            official order for the tasks it knows, then the others alphabetically.
        limit: keep the first `limit` examples of every split.
        variant: which variant of TRACE's release: `500`, `1000`, `5000` or `Reasoning`.
        allow_missing: go on without those of TRACE's eight tasks that are not there. By default
            a missing one is an error where all eight are asked for: by an official order, or by a
            folder that is TRACE (a variant's, or one of most of its tasks and no other), unless
            `order` names tasks.

    Returns:
        The sequence. A task without eval.json (or validation) has an empty `eval`.

    Raises:
        DataError: the folder, a file or an example cannot be used, or tasks of TRACE are missing;
            the message names it, or them.
        SettingError: `limit` is below 1, or there is no such variant.
    """
    if isinstance(source, Mapping):
        if variant is not None:
            raise SettingError("variant is for TRACE's release; leave it out for tables in memory")
        tables = tasks_of_tables(source)
        names = list(tables) if order is None else _ordered(IN_MEMORY, tables, order, allow_missing)
        return TaskSequence([tables[name] for name in names], IN_MEMORY).limited(limit)
    named = str(source) in SEQUENCES
    check_path(source)
    folder = data_folder(str(source)) if named else Path(source).expanduser()
    chosen = variant_folder(folder, variant)
    folders = _task_folders(chosen)
    tasks = [
        _read_task(name, folders[name]) for name in _names(chosen, folders, order, allow_missing)
    ]
    return TaskSequence(tasks, str(source if chosen == folder else chosen)).limited(limit)


def read_examples(path: Path | str) -> tuple[Example, ...]:
    """Read the examples of one data file.

    Args:
        path: a file of JSON (one list), JSON lines, Parquet or Arrow, or a folder that
            `datasets.Dataset.save_to_disk` wrote. The rows have the columns `prompt` and `answer`
            (in a code task `test`, too), `prompt` and `completion`, Alpaca's `instruction`, `input`
            and `output`, ShareGPT's `conversations` or OpenAI's `messages`; others are ignored.

    Returns:
        The examples in order, at least one.

    Raises:
        DataError: the file is missing, cannot be read, is not a list or empty, its columns are none
            of those, or an item is not an object with texts in them, or some items have a test
            and others none; the message names the file and the item's index (counted from 0).
    """
    return to_file_examples(path, read_rows(path))


def to_file_examples(path: Path | str, rows: Any) -> tuple[Example, ...]:
    """Turn what `read_rows` returned for a file into examples.

    Args:
        path: of the file, for errors.
        rows: what it holds.

    Returns:
        The examples in order, at least one.

    Raises:
        DataError: as `read_examples` does.
    """
    if not isinstance(rows, list):
        raise DataError(
            f"{path} holds {kind_of(rows)}, not a list; it must be a JSON list of "
            '{"prompt": ..., "answer": ...}'
        )
    if not rows:
        raise DataError(f"{path} is an empty list; add examples or remove the file")
    examples = to_examples(rows, lambda index: f"{path}, item {index}")
    check_tests(examples, lambda index: f"{path}, item {index}")
    return examples


def task_fingerprint(tasks: Iterable[Task]) -> str:
    """A short hash over names and examples, in order.

    Two sequences share it exactly when they have the same tasks, in the same order, with the same
    examples in every split.

    Args:
        tasks: a task sequence, or tasks.

    Returns:
        The first 16 hex digits of a SHA-256.
    """
    parts = []
    for task in tasks:
        splits = [[example_texts(e) for e in split] for split in (task.train, task.eval, task.test)]
        parts.append(json.dumps([task.name, splits]).encode())
    return digest(*parts)


def example_texts(example: Example) -> list[str]:
    """What an example consists of: prompt and answer, and messages and tests where it has any."""
    texts = [example.prompt, example.answer]
    if isinstance(example.prompt, ChatPrompt):
        texts += [text for message in example.prompt.messages for text in message]
    return [*texts, example.test] if example.test else texts


def _task_folders(folder: Path) -> dict[str, Path]:
    """The task folders in `folder` by name; `folder` itself where it is one task."""
    if not folder.exists():
        shipped = " or ".join(f"'{name}'" for name in SEQUENCES)
        suggestion = nearest(str(folder), SEQUENCES)
        raise DataError(
            f"there is no folder {folder}; check the path, or use {shipped}{suggestion}"
        )
    if not folder.is_dir():
        raise DataError(f"{folder} is a file; name the folder that holds the task folders")
    if _split_files(folder, "train"):
        return {folder.resolve().name: folder}
    try:
        folders = {
            entry.name: entry
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.name.startswith((".", "_"))
        }
    except OSError as problem:
        raise DataError(
            f"{folder} cannot be read: {problem.strerror}; check its permissions"
        ) from None
    if not folders:
        raise DataError(
            f"{folder} holds no train.json and no task folder; a task is a folder with train.json, "
            "test.json and, if you have one, eval.json"
        )
    return folders


def _names(
    folder: Path, folders: Collection[str], order: str | Sequence[str] | None, allow_missing: bool
) -> list[str]:
    """The tasks to read, in order; raises DataError where one of them is not there."""
    if order is None:
        names = sorted(folders, key=_task_order)
        if not set(TRACE_ORDER).isdisjoint(names) and len(names) > 1:
            names = [name for name in names if name != REPLAY_SET]
        if not allow_missing and looks_like_trace(folder, names):
            check_complete(folder, names)
        return names
    return _ordered(folder, folders, order, allow_missing)


def _ordered(
    source: Path | str,
    present: Collection[str],
    order: str | Sequence[str],
    allow_missing: bool,
) -> list[str]:
    """The tasks that an order names; raises DataError where one of them is not present."""
    names = names_in_order(order)
    if isinstance(order, str) and order in ORDERS:
        if not allow_missing:
            check_complete(source, present)
        names = [name for name in names if name in present]
    for name in names:
        if name not in present:
            names_there = sorted(present)
            raise DataError(
                f"no task is named '{name}' in {source}; there are: {', '.join(names_there)}"
                f"{nearest(name, names_there)}"
            )
    return names


def _task_order(name: str) -> tuple[int, str]:
    """Sorts TRACE's tasks into its order and all others behind them, alphabetically."""
    return (TRACE_ORDER.index(name) if name in TRACE_ORDER else len(TRACE_ORDER), name)


def _read_task(name: str, folder: Path) -> Task:
    files = {split: _split_files(folder, split) for split in SPLITS}
    for split in ("train", "test"):
        if not files[split]:
            raise DataError(
                f"{folder} has no {split}.json (or {_OTHER_FORMS.format(split=split)}); add it, "
                "move the folder elsewhere, or name only the tasks you want"
            )
    train, held_out, test = (
        tuple(example for path in paths for example in read_examples(path))
        for paths in files.values()
    )
    tested = all(example.test for example in (*train, *held_out, *test))
    return Task(name, train, held_out, test, PASS_AT_1 if tested else metric_for(name))


def _split_files(folder: Path, split: Split) -> list[Path]:
    """A split's file, saved dataset or shards; none where it is not there, DataError if twice."""
    names = (split, "validation") if split == "eval" else (split,)
    files = [folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES]
    forms = [[path] for path in files if path.is_file()]
    forms += [[folder / name] for name in names if is_saved_dataset(folder / name)]
    for parent in (folder, *_data_folder(folder)):
        forms += [parts for name in names if (parts := shards(parent, name))]
    if len(forms) > 1:
        first, second = (form[0].relative_to(folder) for form in forms[:2])
        raise DataError(
            f"{folder} holds both {first} and {second}; keep one of them for the {split} split"
        )
    return forms[0] if forms else []


def _data_folder(folder: Path) -> list[Path]:
    """The folder `data` of a data set of the Hugging Face Hub; of several folders it is a task."""
    try:
        folders = [entry for entry in folder.iterdir() if entry.is_dir()]
    except OSError:  # the file that is looked for says so
        return []
    visible = [entry for entry in folders if not entry.name.startswith((".", "_"))]
    return visible if [entry.name for entry in visible] == ["data"] else []
