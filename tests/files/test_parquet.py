"""Records come back as they were written; a table that is none of them is refused with a reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from fggm_lab.errors import RunError
from fggm_lab.files import read_rows, write_rows


@dataclass(frozen=True)
class Row:
    """A record."""

    name: str
    score: float
    count: int
    right: bool
    after: str | None = None


ROWS = [Row("a\0ß", 0.1 + 0.2, 2**60, True), Row("b", 5e-324, -1, False, "a")]


def test_records_come_back_and_can_be_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_rows(path, Row, ROWS)
    assert read_rows(path, Row, RunError) == ROWS
    assert read_rows(path, Row, RunError, {"after": "a"}) == ROWS[1:]
    assert read_rows(path, Row, RunError, {"after": None, "count": -1}) == []
    write_rows(path, Row, [])
    assert read_rows(path, Row, RunError) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"score": None}, "no column score"),
        ({"score": [1, 2]}, "column score holds int64, not double"),
        ({"name": ["a", None]}, "column name has 1 empty cells"),
    ],
)
def test_another_table_is_refused(tmp_path: Path, change: dict[str, Any], reason: str) -> None:
    path = tmp_path / "a.parquet"
    columns = {
        "name": ["a", "b"], "score": [0.5, 1.0], "count": [1, 2], "right": [True, False],
        "after": pa.array([None, None], pa.string()), **change,
    }  # fmt: skip
    table = pa.table({name: values for name, values in columns.items() if values is not None})
    parquet.write_table(table, path)
    with pytest.raises(RunError, match=reason):
        read_rows(path, Row, RunError)


def test_changed_values_are_refused_and_those_of_an_older_version_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_rows(path, Row, ROWS)
    table = parquet.read_table(path)
    changed = table.set_column(2, "count", pa.array([2**60, 1]))
    parquet.write_table(changed, path)
    with pytest.raises(RunError, match="its digest is another"):
        read_rows(path, Row, RunError)
    parquet.write_table(changed.replace_schema_metadata(None), path)
    assert read_rows(path, Row, RunError)[1].count == 1
