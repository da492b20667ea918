"""A flipped bit in any file of a run is one sentence, never a number and never a traceback."""

import random
from pathlib import Path

import pytest

from fggm_lab.methods import make_method
from fggm_lab.runs import Run
from tests.faults.flips import READERS, count_flips
from tests.support.small import small_run, small_tasks


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with files of every kind."""
    folder: Path = tmp_path_factory.mktemp("flips") / "run"
    return small_run(make_method("replay+fggm"), folder, tasks=small_tasks(2), epochs=1)


@pytest.mark.parametrize("kind", READERS)
def test_a_flipped_bit_is_told(run: Run, kind: str) -> None:
    counts = count_flips(run, kind, 25, random.Random(kind))
    assert counts.unnoticed == []
    assert counts.noticed + counts.harmless == counts.tried == 25
    assert counts.noticed > 0
