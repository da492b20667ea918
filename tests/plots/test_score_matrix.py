"""The score matrix shows every measured cell, and only those."""

import json
from pathlib import Path

import pytest

from fggm_lab.errors import RunError
from fggm_lab.plots import caption_of, describe, score_matrix
from fggm_lab.runs import Run
from tests.support.records import made_run, run_of


def test_a_row_per_state_and_a_column_per_task(four_runs: list[Run]) -> None:
    run = four_runs[2]
    scores = run.scores
    assert scores is not None
    (table,) = score_matrix(run).data
    assert list(table.y) == ["untrained", *(f"after {name}" for name in scores.tasks)]
    assert list(table.x) == scores.tasks
    assert [list(row) for row in table.z] == [scores.untrained, *scores.matrix]


def test_the_replications_matrix_is_drawn_with_its_blanks(tmp_path: Path, shared: Path) -> None:
    fixture = json.loads((shared / "fixtures" / "trace_replication.json").read_text())
    percentages = fixture["runs"]["sft"]["matrix"]
    run = run_of(
        tmp_path / "a", [[v if v is None else v / 100 for v in row] for row in percentages]
    )
    (table,) = score_matrix(run).data
    for row, cells, texts in zip(percentages, table.z[1:], table.text[1:], strict=True):
        for value, cell, text in zip(row, cells, texts, strict=True):
            assert (cell is None) == (value is None)
            expected = "" if value is None else f"{value / 100:.2f}".removeprefix("0")
            assert text == expected
    assert list(table.z[0]) == [None] * 8 and "not measured" in table.customdata[0][0]


def test_the_diagonal_is_framed(four_runs: list[Run]) -> None:
    frames = score_matrix(four_runs[0]).layout.shapes
    centres = [((s.x0 + s.x1) / 2, (s.y0 + s.y1) / 2) for s in frames]
    assert centres == [(i, i + 1) for i in range(8)]


def test_hover_says_the_change_since_learning_and_from_the_untrained_model(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", [[0.8, 0.3], [0.5, 0.7]])
    hover = score_matrix(run).data[0].customdata
    assert hover[1][0] == "score 0.800, just learned"
    assert hover[2][0] == "score 0.500<br>-0.300 since it was learned"
    assert hover[1][1] == "score 0.300, before its training"


def test_words_give_means_and_the_furthest_fall(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", [[0.8, 0.3, 0.1], [0.5, 0.7, 0.1], [0.6, 0.2, 0.9]])
    text = describe(score_matrix(run))
    assert "Right after its training a task scores 0.80 on average." in text
    assert "After C they score 0.57 on average. B fell furthest, from 0.70 to 0.20." in text


def test_an_unfinished_run_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=2)
    figure = score_matrix(run)
    assert list(figure.data[0].z[3]) == [None] * 8
    assert "unfinished" in caption_of(figure)
    assert "2 tasks are learned so far" in describe(score_matrix(run))
    begun = made_run(tmp_path / "begun", "fggm", done=0)
    assert "No task is learned yet" in describe(score_matrix(begun))
    (begun.path / "scores.json").unlink()
    with pytest.raises(RunError, match="measured nothing yet"):
        score_matrix(begun)
