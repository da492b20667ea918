"""Reading task sequences in TRACE's layout: <Task>/{train,eval,test}.json, lists of examples."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fggm_lab.errors import DataError
from fggm_lab.files import read_json
from fggm_lab.tasks.metrics import metric_for
from fggm_lab.tasks.records import Example, Task, TaskSequence
from fggm_lab.tasks.shipped import SHIPPED, data_folder

TRACE_ORDER = (
    "C-STANCE",
    "FOMC",
    "MeetingBank",
    "Py150",
    "ScienceQA",
    "NumGLUE-cm",
    "NumGLUE-ds",
    "20Minuten",
)
"""TRACE's official order (arXiv 2310.06762)."""


def load_tasks(
    source: str | Path, order: Sequence[str] | None = None, limit: int | None = None
) -> TaskSequence:
    """Load a task sequence.

    Args:
        source: `"trace-mini"` (shipped), a folder of task folders in TRACE's layout, or a folder
            that is one task itself. Sub-folders whose name starts with `.` or `_` are passed over.
        order: names of the tasks to load, in the order they are to be learned; only these are
            read. Without it: TRACE's official order for the tasks it knows, then the others
            alphabetically.
        limit: keep the first `limit` examples of every split.

    Returns:
        The sequence. A task without an eval.json has an empty `eval`.

    Raises:
        DataError: the folder, a file or an example cannot be used; the message names it.
        SettingError: `limit` is below 1.
    """
    folder = data_folder(SHIPPED) if str(source) == SHIPPED else Path(source).expanduser()
    folders = _task_folders(folder)
    if order is None:
        names = sorted(folders, key=_place)
    else:
        names = [order] if isinstance(order, str) else list(order)
    for name in names:
        if name not in folders:
            raise DataError(
                f"no task is named '{name}' in {source}; there are: {', '.join(sorted(folders))}"
            )
    tasks = [_read_task(name, folders[name]) for name in names]
    return TaskSequence(tasks, str(source)).limited(limit)


def read_examples(path: Path | str) -> tuple[Example, ...]:
    """Read one JSON list of `{"prompt": ..., "answer": ...}`; other keys are ignored.

    Raises:
        DataError: the file is missing, not JSON, not a list or empty, or an item is not an object
            with a text prompt and a text answer; the message names the file and the item's index
            (counted from 0).
    """
    items = read_json(path, error=DataError)
    if not isinstance(items, list):
        raise DataError(
            f"{path} holds {_kind(items)}, not a list; it must be a JSON list of "
            '{"prompt": ..., "answer": ...}'
        )
    if not items:
        raise DataError(f"{path} is an empty list; add examples or remove the file")
    return tuple(_example(path, index, item) for index, item in enumerate(items))


def task_fingerprint(tasks: Iterable[Task]) -> str:
    """The first 16 hex digits of a SHA-256 over names and examples, in order.

    Two sequences share it exactly when they have the same tasks, in the same order, with the same
    examples in every split.
    """
    digest = hashlib.sha256()
    for task in tasks:
        splits = [[[e.prompt, e.answer] for e in s] for s in (task.train, task.eval, task.test)]
        digest.update(json.dumps([task.name, splits]).encode())
    return digest.hexdigest()[:16]


def _task_folders(folder: Path) -> dict[str, Path]:
    """The task folders in `folder` by name; `folder` itself where it is one task."""
    if not folder.exists():
        raise DataError(f"there is no folder {folder}; check the path, or use '{SHIPPED}'")
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
    return Task(
        name=name,
        train=read_examples(folder / "train.json"),
        eval=read_examples(evaluation) if evaluation.exists() else (),
        test=read_examples(folder / "test.json"),
        metric=metric_for(name),
    )


def _example(path: Path | str, index: int, item: Any) -> Example:
    if not isinstance(item, dict):
        raise DataError(
            f"{path}, item {index}: is {_kind(item)}; make it an object with 'prompt' and 'answer'"
        )
    for key in ("prompt", "answer"):
        if key not in item:
            raise DataError(f"{path}, item {index}: has no '{key}'; add it or remove the item")
        if not isinstance(item[key], str):
            raise DataError(
                f"{path}, item {index}: '{key}' is {_kind(item[key])}, not text; put it in quotes"
            )
        if not item[key].isascii():
            _refuse_half_characters(path, index, key, item[key])
    return Example(item["prompt"], item["answer"])


def _refuse_half_characters(path: Path | str, index: int, key: str, text: str) -> None:
    """JSON can spell half of a character (a lone surrogate); no tokenizer can read that."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as problem:
        raise DataError(
            f"{path}, item {index}: '{key}' holds an incomplete character at position "
            f"{problem.start}; remove or complete it"
        ) from None


def _kind(value: Any) -> str:
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
