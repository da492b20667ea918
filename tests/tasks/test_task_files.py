"""Reading TRACE folders: order, splits, and one clear sentence for every kind of broken input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import DataError, SettingError
from fggm_lab.tasks import TRACE_ORDER, Example, load_tasks, task_fingerprint
from tests.support.task_folders import GOOD, write_task


def test_examples_keep_their_text_exactly(tmp_path: Path) -> None:
    text = ' <s> a\n\tb "ü" 支持 \U0001f600 '
    write_task(tmp_path / "T", train=[{"prompt": text, "answer": ""}])
    assert load_tasks(tmp_path)["T"].train == (Example(text, ""),)
    assert load_tasks(str(tmp_path))["T"].test == (Example("p1", "a1"), Example("p2", "a2"))


def test_known_tasks_come_in_traces_order_and_others_behind_alphabetically(tmp_path: Path) -> None:
    for name in ("zebra", "20Minuten", "Alpha", *sorted(TRACE_ORDER), ".cache", "__MACOSX"):
        write_task(tmp_path / name)
    (tmp_path / "README.md").write_text("not a task")
    assert load_tasks(tmp_path).names == [*TRACE_ORDER, "Alpha", "zebra"]


def test_an_order_chooses_and_arranges_and_reads_nothing_else(tmp_path: Path) -> None:
    for name in ("A", "B", "C"):
        write_task(tmp_path / name)
    write_task(tmp_path / "Broken", train="{")
    assert load_tasks(tmp_path, order=["C", "A"]).names == ["C", "A"]
    assert load_tasks(tmp_path, order="B").names == ["B"]
    with pytest.raises(DataError, match=r"no task is named 'D' .* there are: A, B, Broken, C"):
        load_tasks(tmp_path, order=["D"])
    with pytest.raises(DataError, match=r"names a task twice"):
        load_tasks(tmp_path, order=["A", "A"])


def test_metrics_follow_the_names(tmp_path: Path) -> None:
    for name in ("Py150", "20Minuten", "ScienceQA", "MeetingBank", "FOMC", "mine"):
        write_task(tmp_path / name)
    metrics = {task.name: task.metric for task in load_tasks(tmp_path)}
    assert metrics == {
        "FOMC": "accuracy",
        "MeetingBank": "rouge_l",
        "Py150": "edit_similarity",
        "ScienceQA": "first_character",
        "20Minuten": "sari",
        "mine": "accuracy",
    }


def test_a_folder_may_be_one_task(tmp_path: Path) -> None:
    assert load_tasks(write_task(tmp_path / "FOMC")).names == ["FOMC"]


def test_a_missing_eval_split_is_empty(tmp_path: Path) -> None:
    assert load_tasks(write_task(tmp_path / "T", eval=None))["T"].eval == ()


def test_a_limit_applies_to_every_split(tmp_path: Path) -> None:
    write_task(tmp_path / "T")
    limited = load_tasks(tmp_path, limit=1)["T"]
    assert [len(limited.train), len(limited.eval), len(limited.test)] == [1, 1, 1]
    with pytest.raises(SettingError, match=r"limit is 0"):
        load_tasks(tmp_path, limit=0)


BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("no train", {"train": None}, r"T has no train\.json"),
    ("no test", {"test": None}, r"T has no test\.json"),
    ("broken", {"train": '[{"prompt": "p",}]'}, r"train\.json is not valid JSON \(line 1, column"),
    ("cut off", {"test": '[{"prompt": "p", "ans'}, r"test\.json is not valid JSON"),
    ("no list", {"train": {"prompt": "p", "answer": "a"}}, r"train\.json holds an object, not a l"),
    ("null", {"train": "null"}, r"train\.json holds null"),
    ("no object", {"train": [*GOOD, "p"]}, r"train\.json, item 2: is text"),
    ("no prompt", {"eval": [*GOOD, {"answer": "a"}]}, r"eval\.json, item 2: has no 'prompt'"),
    ("no answer", {"train": [{"prompt": "p"}]}, r"train\.json, item 0: has no 'answer'"),
    ("number", {"train": [{"prompt": "p", "answer": 3}]}, r"item 0: 'answer' is a number, not t"),
    ("boolean", {"train": [{"prompt": True, "answer": "a"}]}, r"item 0: 'prompt' is true or false"),
    ("list", {"train": [{"prompt": [], "answer": "a"}]}, r"item 0: 'prompt' is a list"),
    ("empty train", {"train": []}, r"train\.json is an empty list"),
    ("empty eval", {"eval": []}, r"eval\.json is an empty list"),
    ("empty file", {"test": " "}, r"test\.json is not valid JSON"),
    (
        "surrogate",
        {"train": '[{"prompt": "a\\ud83d", "answer": ""}]'},
        r"incomplete character",
    ),
]


@pytest.mark.parametrize(("splits", "message"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_broken_input_is_one_sentence_naming_file_and_item(
    tmp_path: Path, splits: dict[str, Any], message: str
) -> None:
    write_task(tmp_path / "T", **splits)
    with pytest.raises(DataError, match=message) as caught:
        load_tasks(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    write_task(tmp_path / "T")
    (tmp_path / "T" / "train.json").write_bytes('[{"prompt": "ü"}]'.encode("latin-1"))
    with pytest.raises(DataError, match=r"train\.json is not UTF-8"):
        load_tasks(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, r"there is no folder .*tasks"),
        (lambda path: path.mkdir(), r"tasks holds no train\.json and no task folder"),
        (lambda path: path.write_text("[]"), r"tasks is a file"),
    ],
    ids=["absent", "empty", "file"],
)
def test_folders_that_hold_no_task_are_refused(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "tasks")
    with pytest.raises(DataError, match=message):
        load_tasks(tmp_path / "tasks")


def test_the_fingerprint_changes_with_any_text_name_split_or_order(tmp_path: Path) -> None:
    def fingerprint(name: str = "T", **splits: Any) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        write_task(folder / name, **splits)
        write_task(folder / "U")
        return task_fingerprint(load_tasks(folder))

    same = fingerprint()
    assert len(same) == 16
    assert int(same, 16) >= 0
    assert fingerprint() == same
    moved = [{"prompt": "p1a", "answer": "1"}, GOOD[1]]
    others = [
        fingerprint("S"),
        fingerprint(train=GOOD[::-1]),
        fingerprint(train=moved),
        fingerprint(train=GOOD[:1]),
        fingerprint(eval=None),
        task_fingerprint(load_tasks(tmp_path / "0", order=["U", "T"])),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_the_real_trace_tasks_are_read(shared: Path) -> None:
    tasks = load_tasks(shared / "trace")
    assert tasks.names == ["Py150", "NumGLUE-cm", "NumGLUE-ds"]
    for task in tasks:
        raw = json.loads((shared / "trace" / task.name / "test.json").read_text(encoding="utf-8"))
        assert [e.prompt for e in task.test] == [item["prompt"] for item in raw]
        assert [e.answer for e in task.test] == [item["answer"] for item in raw]
