"""A run paused at any steps and resumed equals one that nobody paused, bit for bit."""

from pathlib import Path

import pytest

from fggm_lab.methods import FGGM, MIGU, SFT, Method
from tests.support.resuming import assert_same_folder, assert_same_run, pausing_at
from tests.support.small import small_run


@pytest.mark.parametrize("method", [SFT(), MIGU(), FGGM()], ids=lambda m: m.name)
@pytest.mark.parametrize(
    ("family", "steps"),
    [
        ("llama", [1, 2, 5, 7]),  # the first step, one after it, the last but one, the next task
        ("gpt2", [6, 12, 18]),  # the last step of every task; dropout
        ("gpt2", [3, 11, 17]),
    ],
)
def test_paused_and_resumed_equals_never_paused(
    tmp_path: Path, method: Method, family: str, steps: list[int]
) -> None:
    settings = {"family": family, "fisher_points": 2, "checkpoint_every": 4}
    uninterrupted = small_run(method, tmp_path / "whole", **settings)
    pause = pausing_at(*steps)
    for step in steps:
        run = small_run(method, tmp_path / "parts", resume=True, pause=pause, **settings)
        assert not run.finished
        assert run.events("step")[-1]["step"] == step
    run = small_run(method, tmp_path / "parts", resume=True, pause=pause, **settings)
    assert run.finished
    assert_same_folder(uninterrupted, run)


def test_it_is_asked_after_every_step_and_no_is_no(tmp_path: Path) -> None:
    calls = 0

    def pause() -> bool:
        nonlocal calls
        calls += 1
        return False

    run = small_run(SFT(), tmp_path / "run", pause=pause)
    assert run.finished and calls == len(run.events("step"))
    assert_same_run(small_run(SFT(), tmp_path / "whole"), run)


def test_a_paused_run_is_nobodys_and_can_go_on_elsewhere(tmp_path: Path) -> None:
    paused = small_run(SFT(), tmp_path / "run", pause=pausing_at(3))
    with paused.lock():  # its lock is free
        assert paused.resume_file.exists()
    assert small_run(SFT(), tmp_path / "run", resume=True).finished


def test_a_run_trained_in_place_resumes_too(tmp_path: Path) -> None:
    uninterrupted = small_run(FGGM(), tmp_path / "whole", in_place=True)
    small_run(FGGM(), tmp_path / "run", in_place=True, pause=pausing_at(4))
    assert_same_run(uninterrupted, small_run(FGGM(), tmp_path / "run", in_place=True, resume=True))
