"""The table for a page says what is missing, and rounds each number as it should be."""

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from fggm_lab.runs import Run, comparison, over_seeds
from fggm_lab.tables import numbers_html

MakeRun = Callable[..., Run]


def test_rows_as_html_say_what_is_missing_and_what_is_better_lower(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    runs = [finished_run(tmp_path / f"s{i}", 0.4 + i / 10, seed=i) for i in range(2)]
    columns = ("op_final", "forgetting", "fwt")
    table = numbers_html("a <caption>", over_seeds(comparison(runs)), columns)
    root = ElementTree.fromstring(table)
    heads = [cell.text for cell in root.iter("th")]
    assert heads == ["method", "seed", "OP", "forgetting ↓", "FWT", "sft"]
    numbers = [cell.text for cell in root.iter("td")]
    assert numbers == ["0, 1", "0.625 ± 0.035", "0.450 ± 0.071", "–"]
    assert next(root.iter("caption")).text == "a <caption>"


def test_each_number_has_its_own_decimals(tmp_path: Path, finished_run: MakeRun) -> None:
    runs = [finished_run(tmp_path / f"s{i}", 0.4 + i / 10, seed=i) for i in range(2)]
    columns = ("op_final", "seconds", "learning_seconds", "stored_mb", "peak_memory_mb")
    for rows, expected in (
        (comparison(runs)[1:], ["1", "0.650", "30", "22", "0.500", "101"]),
        (
            over_seeds(comparison(runs)),
            ["0, 1", "0.625 ± 0.035", "30 ± 0", "22 ± 0", "0.500 ± 0.000", "101 ± 0"],
        ),
    ):
        root = ElementTree.fromstring(numbers_html("caption", rows, columns))
        assert [cell.text for cell in root.iter("td")] == expected
