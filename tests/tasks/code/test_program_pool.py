"""Many programs at once: order, permission, and what is not run twice."""

import sys

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.tasks.code import CodeProblem, Limits, passes, program_pool, score_programs
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


def test_only_what_could_come_out_otherwise_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(source: str, limits: Limits, *, allow: bool) -> Outcome:
        ran.append(source)
        return Outcome(source == "passed", source, "", 0.0, "")

    monkeypatch.setattr(program_pool, "run_program", run)
    monkeypatch.setattr(program_pool, "_PASSED", {})
    programs = ["passed", "wrong answer", "timeout", "passed", "exception KeyError"]
    for _ in range(2):
        assert passes(programs, allow=True) == [True, False, False, True, False]
    assert sorted(ran) == sorted([*set(programs), "timeout"])
    passes(["passed"], allow=True, limits=Limits(seconds=1))
    assert ran.count("passed") == 2
