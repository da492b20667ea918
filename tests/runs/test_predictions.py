"""Every answer comes back as it was kept; a file is whole or not there; damage is one sentence."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from fggm_lab.errors import LabError, RunError
from fggm_lab.files import writing
from fggm_lab.runs import Prediction, Run, RunConfig
from fggm_lab.runs.predictions import COLUMNS

Make = Callable[..., RunConfig]

ROWS = [
    Prediction(None, "A", "test", 0, "p\n1 ü 支持", "a", " a ", 1.0, True, 0.1 + 0.2, 2),
    Prediction(None, "A", "test", 1, "", "b", "", 0.0, False, 1 / 3, 1),
    Prediction(None, "B", "test", 0, "p" * 5000, "c", "\U0001f600\0", 2 / 3, False, 5e-324, 3),
]


@pytest.fixture
def run(tmp_path: Path, config: Make) -> Run:
    return Run.create(tmp_path / "run", config())


def test_answers_come_back_by_task_and_by_when_they_were_given(run: Run) -> None:
    run.save_predictions(None, ROWS)
    run.save_predictions("B", ROWS[:2])
    assert run.predictions(None) == ROWS
    assert run.predictions(None, "B") == run.predictions(None, 1) == ROWS[2:]
    after = [replace(row, trained_after="B") for row in ROWS[:2]]
    assert run.predictions(1) == run.predictions("B", "A") == after
    assert run.predictions("B", "B") == []


def test_files_are_named_by_task_and_hold_the_columns(run: Run) -> None:
    run.save_predictions(None, ROWS)
    run.save_predictions("A", ROWS)
    names = sorted(path.name for path in (run.path / "predictions").iterdir())
    assert names == ["00-start.parquet", "01-A.parquet"]
    table = parquet.read_table(run.path / "predictions" / "01-A.parquet")
    assert tuple(table.column_names) == COLUMNS
    assert COLUMNS[:4] == ("trained_after", "task", "split", "index")
    assert {"prompt", "answer", "prediction", "score", "exact", "nll"} <= set(COLUMNS)
    assert table.to_pylist() == [asdict(replace(row, trained_after="A")) for row in ROWS]


def test_a_run_that_kept_none_has_none(run: Run) -> None:
    assert run.predictions(None) == run.predictions("A") == run.predictions("A", "B") == []
    for after, task in (("C", None), ("A", "C"), (2, None), (None, "C")):
        with pytest.raises(RunError, match="has no task"):
            run.predictions(after, task)


def test_a_full_disk_leaves_what_was_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.save_predictions("A", ROWS[:1])
    before = run.predictions("A")

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_sync_file", full)
    with pytest.raises(LabError, match=r"cannot write .*01-A\.parquet: No space left"):
        run.save_predictions("A", ROWS)
    assert run.predictions("A") == before
    assert [path.name for path in (run.path / "predictions").iterdir()] == ["01-A.parquet"]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "columns"])
def test_a_damaged_file_is_one_sentence(run: Run, damage: str) -> None:
    run.save_predictions("A", ROWS)
    path = run.path / "predictions" / "01-A.parquet"
    if damage == "columns":
        parquet.write_table(parquet.read_table(path).drop_columns(["prompt"]), path)
    else:
        content = path.read_bytes()
        damaged = {"cut": content[: len(content) // 2], "empty": b"", "text": b"not a table" * 99}
        path.write_bytes(damaged[damage])
    with pytest.raises(RunError, match=r"01-A\.parquet is damaged \(.*\); restore it, or rep") as e:
        run.predictions("A")
    assert "\n" not in str(e.value)
