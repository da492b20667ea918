"""Reading task sequences in TRACE's layout: <Task>/{train,eval,test}.json, lists of examples."""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from fggm_lab.errors import DataError, nearest
from fggm_lab.files import read_json
from fggm_lab.tasks.metrics import PASS_AT_1, metric_for
from fggm_lab.tasks.shipped import SEQUENCES, data_folder
from fggm_lab.tasks.task import Example, Task, TaskSequence
from fggm_lab.tasks.trace import (
    ORDERS,
    REPLAY_SET,
    TRACE_ORDER,
    check_complete,
    looks_like_trace,
    names_in_order,
    variant_folder,
)


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
            layout, a folder that is one task itself, or TRACE's release: its top folder or that of
            one variant.
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
        The sequence. A task without an eval.json has an empty `eval`.

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
    """Read one JSON list of `{"prompt": ..., "answer": ...}`, in a code task with a `"test"` each.

    Other keys are ignored.

    Args:
        path: of the file.

    Returns:
        The examples in order, at least one.

    Raises:
        DataError: the file is missing, not JSON, not a list or empty, or an item is not an object
            with a text prompt and a text answer, or some items have a test and others none; the
            message names the file and the item's index (counted from 0).
    """
    items = read_json(path, error=DataError)
    if not isinstance(items, list):
        raise DataError(
            f"{path} holds {kind_of(items)}, not a list; it must be a JSON list of "
            '{"prompt": ..., "answer": ...}'
        )
    if not items:
        raise DataError(f"{path} is an empty list; add examples or remove the file")
    examples = tuple(_example(path, index, item) for index, item in enumerate(items))
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
    """What an example consists of; the tests count where there are any."""
    texts = [example.prompt, example.answer]
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
    if (folder / "train.json").exists():
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
    for split in ("train", "test"):
        if not (folder / f"{split}.json").exists():
            raise DataError(
                f"{folder} has no {split}.json; add it, move the folder elsewhere, or name only "
                "the tasks you want"
            )
    evaluation = folder / "eval.json"
    train, test = read_examples(folder / "train.json"), read_examples(folder / "test.json")
    held_out = read_examples(evaluation) if evaluation.exists() else ()
    tested = all(example.test for example in (*train, *held_out, *test))
    return Task(name, train, held_out, test, PASS_AT_1 if tested else metric_for(name))


def _example(path: Path | str, index: int, item: Any) -> Example:
    if not isinstance(item, dict):
        raise DataError(
            f"{path}, item {index}: is {kind_of(item)}; make it an object with 'prompt' and "
            "'answer'"
        )
    for key in ("prompt", "answer"):
        if key not in item:
            raise DataError(f"{path}, item {index}: has no '{key}'; add it or remove the item")
        check_text(path, index, key, item[key])
    return Example(item["prompt"], item["answer"], _test(path, index, item))


def _test(path: Path | str, index: int, item: dict[str, Any]) -> str:
    """A code task's test; empty where the item has none."""
    if "test" not in item:
        return ""
    if not isinstance(item["test"], str) or not item["test"].strip():
        raise DataError(
            f"{path}, item {index}: 'test' is no text or empty; write the statements that check "
            "the program, or leave it out"
        )
    return str(item["test"])


def check_text(path: Path | str, index: int, key: str, text: Any) -> None:
    """Check that an item's field is text that a tokenizer can read.

    JSON can spell half of a character (a lone surrogate), which none can.

    Args:
        path: of the file, for the message.
        index: the item's position in the file, from 0.
        key: the field's name.
        text: the field's value.

    Raises:
        DataError: it is not.
    """
    if not isinstance(text, str):
        raise DataError(
            f"{path}, item {index}: '{key}' is {kind_of(text)}, not text; put it in quotes"
        )
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise DataError(
            f"{path}, item {index}: '{key}' holds an incomplete character at position "
            f"{problem.start}; remove or complete it"
        ) from None


def kind_of(value: Any) -> str:
    """A JSON value's kind in words, for messages."""
    if value is None:
        return "null"
    kinds = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return kinds[type(value)]
