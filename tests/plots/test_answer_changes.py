"""The bars are the numbers of examples whose scores fell and rose."""

from pathlib import Path

import pytest

import fggm_lab as lab
from fggm_lab.errors import DataError
from fggm_lab.plots import answer_changes, caption_of, describe
from tests.support.answers import answered_run


def test_lost_and_gained_are_counted_by_task(tmp_path: Path) -> None:
    run = answered_run(tmp_path)
    changes = lab.forgotten_examples(run, change="all")
    figure = answer_changes(changes, run.config.task_names)
    lost, gained = figure.data
    assert list(lost.x) == list(gained.x) == ["A", "B"]
    assert list(lost.y) == [2, 1] and list(gained.y) == [1, 0]
    assert "A: of 4 examples 2 score less and 1 more. B: of 4 examples 1" in describe(figure)
    assert "The largest loss is A's test example 0, from 1.00 to 0.00." in describe(figure)
    assert "scored when its task was learned, and again after C" in caption_of(figure)


def test_without_an_example_there_is_nothing_to_count() -> None:
    with pytest.raises(DataError, match="no example to count"):
        answer_changes([])
