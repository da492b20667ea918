"""All of HumanEval: every canonical solution passes, and none once its last line is broken."""

import sys
from pathlib import Path

import pytest

from fggm_lab.tasks.code import CodeProblem, cut_completion, read_problems, score_programs

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="programs are not run there")


@pytest.fixture(scope="module")
def problems(shared: Path) -> tuple[CodeProblem, ...]:
    problems = read_problems(shared / "general" / "humaneval.json")
    assert len(problems) == 164
    return problems


def _broken(solution: str) -> str:
    """The last line raises; so a solution fails only because its last line is reached."""
    head, _, last = solution.rstrip().rpartition("\n")
    indent = last[: len(last) - len(last.lstrip())]
    return f"{head}\n{indent}raise RuntimeError('broken')\n"


def test_every_canonical_solution_passes(problems: tuple[CodeProblem, ...]) -> None:
    outcomes = score_programs(problems, [p.solution for p in problems], allow=True)
    assert [p.name for p, o in zip(problems, outcomes, strict=True) if not o.passed] == []


def test_every_broken_solution_fails(problems: tuple[CodeProblem, ...]) -> None:
    outcomes = score_programs(problems, [_broken(p.solution) for p in problems], allow=True)
    assert {outcome.reason for outcome in outcomes} == {"exception RuntimeError"}


def test_cutting_leaves_every_canonical_solution_whole(problems: tuple[CodeProblem, ...]) -> None:
    for problem in problems:
        assert cut_completion(problem.prompt, problem.solution) == problem.solution
        more = f"{problem.solution}\ndef another():\n    pass\n"
        assert cut_completion(problem.prompt, more).strip() == problem.solution.strip()
