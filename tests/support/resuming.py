"""A run that was killed and paused in the middle of its second task, beside one that was not."""

from pathlib import Path
from typing import Any

import pytest
import torch

from fggm_lab.methods import Method
from fggm_lab.runs import Run
from tests.support.small import small_run
from tests.training.test_pause import pausing_at
from tests.training.test_sequence import StopAt, assert_same_run


def assert_resumes(method: Method, folder: Path, **settings: Any) -> Run:
    """Kill a run after step 9 of 18, pause it one step on, and finish it: the result is the same.

    Scores, evaluations, weights after every task and what the method keeps are, bit for bit. A task
    is six steps, and the state is saved every second one.
    """
    settings = {"points_per_task": 0, "general": None, **settings}
    whole = small_run(method, folder / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        small_run(method, folder / "parts", listener=StopAt("step", 9), **settings)
    paused = small_run(method, folder / "parts", resume=True, pause=pausing_at(2), **settings)
    assert [e["step"] for e in paused.events("step")][-1] == 10 and not paused.finished
    run = small_run(method, folder / "parts", resume=True, **settings)
    assert run.finished
    assert_same_run(whole, run)
    for task in range(3):
        left, right = whole.memory(task), run.memory(task)
        assert left.keys() == right.keys()
        assert all(torch.equal(left[name], right[name]) for name in left)
    return run
