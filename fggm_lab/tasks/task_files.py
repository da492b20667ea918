"""Reading task sequences in TRACE's layout: <Task>/{train,eval,test}.json, or .jsonl, .parquet."""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from fggm_lab.errors import DataError, nearest
from fggm_lab.tasks.chat import ChatPrompt
from fggm_lab.tasks.metrics import PASS_AT_1, metric_for
from fggm_lab.tasks.row_formats import kind_of, to_examples
from fggm_lab.tasks.rows import SUFFIXES, is_saved_dataset, read_rows
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

_OTHER_FORMS = ".jsonl, .parquet, .arrow, or a folder of that name saved with save_to_disk"
"""What a split may be instead of a .json file, for messages."""


def load_tasks(
    source: str | Path,
    order: str | Sequence[str] | None = None,
    limit: int | None = None,
    *,
    variant: str | int | None = None,
    allow_missing: bool = False,
) -> TaskSequence:
    """Load a task sequence.

    Args:
        source: `"trace-mini"` or `"code-mini"` (shipped), a folder of task folders in TRACE's
            layout, a folder that is one task itself (a saved `datasets.DatasetDict`, say), or
            TRACE's release: its top folder or that of one variant. A split is a file that
            `read_examples` reads.
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
    named = str(source) in SEQUENCES
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
    if any(example.test for example in examples):
        for index, example in enumerate(examples):
            if not example.test:
                raise DataError(
                    f"{path}, item {index}: a code task without a test: 'test' is missing, which "
                    "others here have; add the statements that check the program, or remove the "
                    "item"
                )
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
    digest = hashlib.sha256()
    for task in tasks:
        splits = [[_texts(e) for e in split] for split in (task.train, task.eval, task.test)]
        digest.update(json.dumps([task.name, splits]).encode())
    return digest.hexdigest()[:16]


def _texts(example: Example) -> list[str]:
    """What an example consists of; tests and messages count where there are any."""
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
    if _split_path(folder, "train") is not None:
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
        names = sorted(folders, key=_place)
        if not set(TRACE_ORDER).isdisjoint(names) and len(names) > 1:
            names = [name for name in names if name != REPLAY_SET]
        if not allow_missing and looks_like_trace(folder, names):
            check_complete(folder, names)
        return names
    names = names_in_order(order)
    if isinstance(order, str) and order in ORDERS:
        if not allow_missing:
            check_complete(folder, folders)
        names = [name for name in names if name in folders]
    for name in names:
        if name not in folders:
            names_there = sorted(folders)
            raise DataError(
                f"no task is named '{name}' in {folder}; there are: {', '.join(names_there)}"
                f"{nearest(name, names_there)}"
            )
    return names


def _place(name: str) -> tuple[int, str]:
    """Sorts TRACE's tasks into its order and all others behind them, alphabetically."""
    return (TRACE_ORDER.index(name) if name in TRACE_ORDER else len(TRACE_ORDER), name)


def _read_task(name: str, folder: Path) -> Task:
    paths = {split: _split_path(folder, split) for split in SPLITS}
    for split in ("train", "test"):
        if paths[split] is None:
            raise DataError(
                f"{folder} has no {split}.json (or {_OTHER_FORMS}); add it, move the folder "
                "elsewhere, or name only the tasks you want"
            )
    train, held_out, test = (() if path is None else read_examples(path) for path in paths.values())
    tested = all(example.test for example in (*train, *held_out, *test))
    return Task(name, train, held_out, test, PASS_AT_1 if tested else metric_for(name))


def _split_path(folder: Path, split: Split) -> Path | None:
    """A split's file or saved dataset; None where none is there, DataError where two are."""
    names = (split, "validation") if split == "eval" else (split,)
    files = [folder / f"{name}{suffix}" for name in names for suffix in SUFFIXES]
    paths = [path for path in files if path.is_file()]
    paths += [folder / name for name in names if is_saved_dataset(folder / name)]
    if len(paths) > 1:
        raise DataError(
            f"{folder} holds both {paths[0].name} and {paths[1].name}; keep one of them for the "
            f"{split} split"
        )
    return paths[0] if paths else None
