"""Code tasks are scored by running programs where that is allowed, else by the text."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import DataError, SettingError
from fggm_lab.evaluation import GeneralScore, evaluate, greedy_answers
from fggm_lab.evaluation.greedy_answers import AnswerSet, answer_sets
from fggm_lab.methods import SFT
from fggm_lab.runs import Run
from fggm_lab.tasks import PASS_AT_1, Example, General, Task, TaskSequence
from fggm_lab.tasks.code import isolation
from fggm_lab.training import run_sequence
from tests.support.command_line import CommandResult
from tests.support.families import character_tokenizer
from tests.support.small import QUICK, small_model

TOKENIZER = character_tokenizer()
# Whatever follows the sign is a comment, so that right and wrong do not depend on the model.
RIGHT = Example("def f():\n    return 1 #", " one", "assert f() == 1")
WRONG = Example("def f():\n    return 2 #", " one", "assert f() == 1")


def _task(name: str = "code") -> Task:
    return Task(name, (RIGHT,) * 4, (RIGHT, WRONG), (RIGHT, WRONG, RIGHT, RIGHT), PASS_AT_1)


def _score(**settings: Any) -> float:
    return evaluate(small_model(), TOKENIZER, _task(), **settings)["code"].score


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that would have been run; those that return 1 pass."""
    programs: list[str] = []

    def passes(sources: list[str], *, allow: bool) -> list[bool]:
        assert allow
        programs.extend(sources)
        return ["return 1" in source for source in sources]

    monkeypatch.setattr(greedy_answers, "passes", passes)
    return programs


def test_nothing_runs_without_permission_and_the_text_is_compared(ran: list[str]) -> None:
    assert _score() == 0.0
    assert ran == []


def test_with_permission_the_share_of_passing_programs_counts(ran: list[str]) -> None:
    assert _score(allow_code_execution=True) == 0.75
    assert len(ran) == 4
    assert all(program.endswith("\n\nassert f() == 1\n") for program in ran)


GENERAL = General("own", "own", {"code": (RIGHT, WRONG)}, {}, "higher", metrics={"code": PASS_AT_1})


@pytest.mark.parametrize("allow", [False, True])
def test_a_skill_with_tests_is_scored_as_a_code_task_is(allow: bool, ran: list[str]) -> None:
    measured = evaluate(small_model(), TOKENIZER, [], GENERAL, allow_code_execution=allow)
    score = 0.5 if allow else 0.0
    assert measured.general == GeneralScore(score, {"code": score})
    assert len(ran) == (2 if allow else 0)


@pytest.mark.parametrize("allow", [False, True])
def test_a_run_whose_general_alone_has_tests_records_how_it_was_scored(
    allow: bool, ran: list[str], tmp_path: Path
) -> None:
    tasks = TaskSequence([Task("plain", (RIGHT,) * 4, (), (RIGHT,))], "own")
    run = run_sequence(
        small_model(), TOKENIZER, tasks, SFT(), tmp_path,
        general=GENERAL, allow_code_execution=allow, **QUICK,
    )  # fmt: skip
    assert run.config.code_execution is allow and bool(ran) is allow
    assert run.scores is not None and run.scores.general is not None
    assert run.scores.general["before"] == (0.5 if allow else 0.0)


def test_an_answer_that_does_not_fit_is_told_with_its_skill() -> None:
    long = Example("p", "x" * 80, RIGHT.test)
    general = General("own", "own", {"code": (RIGHT, long)}, {}, "higher")
    with pytest.raises(DataError, match=r"^skill code: the answer of example 1 .* longer context$"):
        evaluate(small_model(), TOKENIZER, [], general, max_length=64)


def test_points_along_a_curve_run_nothing(ran: list[str]) -> None:
    _score(allow_code_execution=True, probe=2)
    assert ran == []


def test_the_programs_really_run() -> None:
    assert _score(allow_code_execution=True) == 0.75


def test_a_set_scored_by_programs_asks_for_permission() -> None:
    with pytest.raises(SettingError, match="allow-code-execution"):
        sets = {"code": AnswerSet([RIGHT], PASS_AT_1)}
        answer_sets(small_model(), TOKENIZER, sets, max_length=64)


@pytest.mark.parametrize("allow", [False, True])
def test_a_run_records_how_it_was_scored(allow: bool, ran: list[str], tmp_path: Path) -> None:
    tasks = TaskSequence([_task()], "own")
    run = run_sequence(
        small_model(), TOKENIZER, tasks, SFT(), tmp_path, allow_code_execution=allow, **QUICK
    )
    assert run.config.code_execution is allow
    assert bool(ran) is allow
    assert run.scores is not None
    assert run.scores.untrained == [0.75 if allow else 0.0]


def test_permission_changes_nothing_where_there_is_no_code_task(tmp_path: Path) -> None:
    tasks = TaskSequence([Task("plain", (RIGHT,) * 4, (), (RIGHT,))], "own")
    run = run_sequence(
        small_model(), TOKENIZER, tasks, SFT(), tmp_path, allow_code_execution=True, **QUICK
    )
    assert run.config.code_execution is False


@pytest.mark.parametrize("allow", [False, True])
def test_the_command_line_says_how_code_is_scored(
    allow: bool, call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    small_model().save_pretrained(tmp_path / "model")
    TOKENIZER.save_pretrained(tmp_path / "model")
    folder = tmp_path / "tasks" / "own"
    folder.mkdir(parents=True)
    rows = [{"prompt": RIGHT.prompt + str(n), "answer": " x", "test": RIGHT.test} for n in range(6)]
    for split, part in (("train", rows[:4]), ("test", rows[4:])):
        (folder / f"{split}.json").write_text(json.dumps(part))
    words = ["--model", tmp_path / "model", "--tasks", tmp_path / "tasks", "--methods", "sft"]
    words += ["--epochs", 1, "--points", 0, "--out", tmp_path / "runs"]
    words += ["--allow-code-execution"] if allow else []
    outcome = call("run", *words)
    assert outcome.status == 0
    text = " ".join(outcome.out.split())
    run = Run.open(tmp_path / "runs" / "sft")
    assert run.config.code_execution is allow
    if allow:
        assert f"programs are shut in; {isolation().summary()}" in text
        assert run.scores is not None and run.scores.untrained == [1.0]
    else:
        assert "exact match of the text; --allow-code-execution runs the programs" in text
