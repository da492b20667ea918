"""Tables in memory and shards of the Hugging Face Hub are the tasks that files hold, or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from fggm_lab.errors import DataError, SettingError
from fggm_lab.tasks import Example, load_tasks, task_fingerprint
from tests.support.small import small_tasks
from tests.support.task_folders import write_task

ROWS = {
    split: [{"prompt": f"{split} {i}", "answer": str(i)} for i in range(3)]
    for split in ("train", "eval", "test")
}


def _of_datasets(rows: list[dict[str, str]]) -> Any:
    return pytest.importorskip("datasets").Dataset.from_list(rows)


def _of_pandas(rows: list[dict[str, str]]) -> Any:
    return pytest.importorskip("pandas").DataFrame(rows)


@pytest.mark.parametrize(
    "table", [list, _of_datasets, _of_pandas, pa.Table.from_pylist], ids=lambda f: f.__name__
)
def test_tables_in_memory_are_the_tasks_that_files_hold(
    table: Callable[[list[dict[str, str]]], Any], tmp_path: Path
) -> None:
    for name in ("FOMC", "mine"):
        write_task(tmp_path / name, **ROWS)
    splits = {split: table(rows) for split, rows in ROWS.items()}
    tasks = load_tasks({"FOMC": splits, "mine": splits})
    assert task_fingerprint(tasks) == task_fingerprint(load_tasks(tmp_path))
    assert [task.metric for task in tasks] == [task.metric for task in load_tasks(tmp_path)]
    chosen = load_tasks({"mine": splits, "FOMC": splits}, order="FOMC", limit=1)
    assert chosen.names == ["FOMC"] and len(chosen[0].train) == 1
    assert load_tasks({"mine": splits, "FOMC": splits}).names == ["mine", "FOMC"]


def test_eval_may_be_missing_or_named_validation() -> None:
    splits = {"train": ROWS["train"], "test": ROWS["test"]}
    assert load_tasks({"mine": splits})[0].eval == ()
    (task,) = load_tasks({"mine": {**splits, "validation": ROWS["eval"]}})
    assert task.eval == tuple(Example(**row) for row in ROWS["eval"])
    pairs = {"train": small_tasks(1)[0].train, "test": [("a", "b")]}
    assert load_tasks({"mine": pairs})[0].train == small_tasks(1)[0].train


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "there are no tasks; give a dictionary of task name"),
        ({"mine": ROWS["train"]}, "task mine is of type list; give a dictionary of its splits"),
        ({"mine": {"train": ROWS["train"]}}, "task mine has no test split; add it"),
        ({"mine": {**ROWS, "tset": []}}, r"task mine has a split named 'tset'.*did you mean"),
        ({"mine": {**ROWS, "validation": []}}, "task mine has both eval and validation"),
        ({"mine": {**ROWS, "test": []}}, "task mine, test split: there are no rows"),
        (
            {"mine": {**ROWS, "test": [{"prompt": "a", "answer": 3}]}},
            "task mine, test split: example 0: 'answer' is a number, not text",
        ),
        (
            {"mine": {**ROWS, "train": [{"text": "a"}]}},
            "task mine, train split: example 0: the columns are: text; needed are prompt",
        ),
        ({"mine": {**ROWS, "train": "rows.json"}}, "task mine, train split: .* is of type str"),
    ],
)
def test_other_tables_are_one_sentence(source: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_tasks(source)


def test_what_only_folders_have_is_refused() -> None:
    with pytest.raises(SettingError, match="variant is for TRACE's release"):
        load_tasks({"mine": ROWS}, variant=500)
    with pytest.raises(DataError, match="no task is named 'other' in tables in memory"):
        load_tasks({"mine": ROWS}, order=["other"])


def _write_shards(folder: Path, split: str, rows: list[dict[str, str]], count: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        file = folder / f"{split}-{number:05}-of-{count:05}.parquet"
        parquet.write_table(pa.Table.from_pylist(rows[number::count]), file)


@pytest.mark.parametrize("folder", ["", "data"])
def test_shards_of_the_hub_are_a_split(folder: str, tmp_path: Path) -> None:
    hub = tmp_path / "hub" / "mine"
    for split, name in (("train", "train"), ("eval", "validation"), ("test", "test")):
        _write_shards(hub / folder, name, ROWS[split])
    (hub / "README.md").write_text("a data set")
    write_task(tmp_path / "plain" / "mine", **{s: r[0::2] + r[1::2] for s, r in ROWS.items()})
    expected = task_fingerprint(load_tasks(tmp_path / "plain"))
    assert task_fingerprint(load_tasks(tmp_path / "hub")) == expected
    assert task_fingerprint(load_tasks(hub)) == expected


def test_shards_that_lack_one_or_stand_beside_a_file_are_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        _write_shards(tmp_path / "mine" / "data", split, ROWS[split])
    (tmp_path / "mine" / "train.json").write_text("[]")
    with pytest.raises(DataError, match=r"both train\.json and data/train-00000-of-00002"):
        load_tasks(tmp_path)
    (tmp_path / "mine" / "train.json").unlink()
    (tmp_path / "mine" / "data" / "train-00001-of-00002.parquet").unlink()
    with pytest.raises(DataError, match="lacks train-00001-of-00002"):
        load_tasks(tmp_path)
