"""CSV and JSON hold the numbers as they are."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

from fggm_lab.runs import Run, columns, comparison, over_seeds
from fggm_lab.tables import to_csv, to_json

MakeRun = Callable[..., Run]


def test_csv_and_json_hold_the_same_numbers(tmp_path: Path, finished_run: MakeRun) -> None:
    rows = comparison([finished_run(tmp_path / f"s{i}", seed=i) for i in range(2)])
    assert json.loads(to_json(rows)) == rows
    table = list(csv.DictReader(io.StringIO(to_csv(rows))))
    assert list(table[0]) == list(columns())
    assert float(table[1]["op_final"]) == rows[1]["op_final"]
    assert table[0]["fwt"] == "", "not measured is empty, never 0"
    (flat,) = csv.DictReader(io.StringIO(to_csv(over_seeds(rows))))
    assert flat["op_final_n"] == "2" and flat["seed"] == "0 1" and float(flat["op_final_sd"]) == 0
