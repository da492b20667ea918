"""A run killed at any moment (kill -9) and resumed equals a run that was left alone."""

from pathlib import Path

import pytest

from fggm_lab.methods import FGGM
from tests.faults.kills import killed_run
from tests.support.resuming import assert_same_run
from tests.support.small import small_run


@pytest.mark.parametrize(
    "lines", [2, 9, 20], ids=["after the first evaluation", "in task 1", "in task 2"]
)
def test_killed_and_resumed_equals_left_alone(tmp_path: Path, lines: int) -> None:
    uninterrupted = small_run(FGGM(), tmp_path / "whole")
    killed = killed_run(tmp_path / "killed", lines)
    assert not killed.finished
    assert_same_run(uninterrupted, small_run(FGGM(), killed.path, resume=True))
