"""Many programs at once: order, permission, and what is not run twice."""

import sys

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.tasks.code import CodeProblem, Limits, passes, score_programs, scoring
from fggm_lab.tasks.code.limits import Outcome

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs are not run there")

PROBLEM = CodeProblem("one", "def f(x):\n", "    return x", "assert f(3) == 3")


def test_outcomes_come_in_order_and_what_follows_the_answer_is_cut() -> None:
    completions = [
        "    return x\nraise ValueError",
        "    return -x",
        "    while True: pass",
        "  re",
    ]
    outcomes = score_programs([PROBLEM] * 4, completions, allow=True, limits=Limits(seconds=0.5))
    assert [o.reason for o in outcomes] == [
        "passed",
        "wrong answer",
        "timeout",
        "exception NameError",
    ]


def test_nothing_runs_unless_allowed() -> None:
    with pytest.raises(SettingError, match="allow-code-execution"):
        score_programs([PROBLEM], ["    return x"], allow=False)
    with pytest.raises(SettingError, match="allow-code-execution"):
        passes(["pass"], allow=False)


def test_as_many_problems_as_completions() -> None:
    with pytest.raises(SettingError, match="1 problems and 2 completions"):
        score_programs([PROBLEM], ["a", "b"], allow=True)


def test_a_program_that_passed_is_not_run_again_a_failed_one_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []

    def run(source: str, limits: Limits, *, allow: bool) -> Outcome:
        ran.append(source)
        return Outcome("good" in source, "", "", 0.0, "")

    monkeypatch.setattr(scoring, "run_program", run)
    monkeypatch.setattr(scoring, "_PASSED", set())
    programs = ["good", "bad", "good"]
    assert passes(programs, allow=True) == [True, False, True]
    assert passes(programs, allow=True) == [True, False, True]
    assert sorted(ran) == ["bad", "bad", "good"]
    passes(["good"], allow=True, limits=Limits(seconds=1))
    assert ran.count("good") == 2
