"""Code tasks in TRACE's layout: a `test` in every example makes the task one of code."""

import json
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import DataError
from fggm_lab.tasks import PASS_AT_1, Task, load_tasks, task_fingerprint

ROW = {"prompt": "def f(x):\n", "answer": "    return x", "test": "assert f(1) == 1"}
PLAIN = {"prompt": "1 + 1 =", "answer": "2"}


def _load(folder: Path, train: list[Any], test: list[Any]) -> Task:
    task_folder = folder / "mine"
    task_folder.mkdir(parents=True)
    for split, rows in (("train", train), ("test", test)):
        (task_folder / f"{split}.json").write_text(json.dumps(rows))
    return load_tasks(folder)["mine"]


def test_tests_everywhere_make_a_code_task(tmp_path: Path) -> None:
    task = _load(tmp_path, [ROW], [ROW])
    assert task.metric == PASS_AT_1
    assert task.test[0].test == ROW["test"]


@pytest.mark.parametrize(("train", "test"), [(PLAIN, ROW), (ROW, PLAIN), (PLAIN, PLAIN)])
def test_a_split_without_tests_makes_it_a_task_of_text(
    train: Any, test: Any, tmp_path: Path
) -> None:
    assert _load(tmp_path, [train], [test]).metric == "accuracy"


def test_one_example_without_its_test_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.json, item 1: a code task without a test"):
        _load(tmp_path, [ROW, PLAIN], [ROW])


@pytest.mark.parametrize("test", ["", " \n", None, ["assert True"]])
def test_a_test_is_text_with_something_in_it(test: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test\.json, item 0: 'test'"):
        _load(tmp_path, [ROW], [{**ROW, "test": test}])


def test_tests_are_part_of_the_fingerprint(tmp_path: Path) -> None:
    other = {**ROW, "test": "assert f(2) == 2"}
    tasks = [
        _load(tmp_path / str(at), [row], [row])
        for at, row in enumerate([ROW, other, {k: v for k, v in ROW.items() if k != "test"}])
    ]
    assert len({task_fingerprint([task]) for task in tasks}) == 3


def test_a_mistyped_name_suggests_the_shipped_one() -> None:
    with pytest.raises(DataError, match=r"'trace-mini' or 'code-mini'.*code-mini"):
        load_tasks("code-mni")
