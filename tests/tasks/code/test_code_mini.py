"""code-mini: reproducible to the byte, without leaks, its tests right and sharp."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from fggm_lab.tasks import PASS_AT_1, Example, audit, load_tasks
from fggm_lab.tasks.code import CODE_MINI, code_splits, cut_completion, program_text, run_programs
from fggm_lab.tasks.code.code_mini import OPERATIONS, SKILLS
from fggm_lab.tasks.shipped import data_folder

DATA = data_folder()
TASKS = load_tasks(CODE_MINI)


def _runs(example: Example, answer: str) -> bool:
    """Whether this project's own code passes, in this process."""
    try:
        exec(program_text(example.prompt, answer, example.test), {})
    except Exception:
        return False
    return True


def test_the_generator_writes_the_shipped_bytes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("make_code", DATA / "make_code.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(tmp_path)
    generated = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*.json"))
    assert generated == sorted(p.relative_to(DATA) for p in (DATA / CODE_MINI).rglob("*.json"))
    assert len(generated) == 4 * 3
    for path in generated:
        assert (tmp_path / path).read_bytes() == (DATA / path).read_bytes(), path


def test_four_clean_skills_of_code() -> None:
    assert TASKS.names == list(SKILLS)
    assert audit(TASKS).clean
    for task in TASKS:
        assert task.metric == PASS_AT_1
        prompts = [e.prompt for split in (task.train, task.eval, task.test) for e in split]
        assert len(set(prompts)) == len(prompts) == 804


@pytest.mark.parametrize("skill", SKILLS)
def test_every_answer_passes_its_tests_and_no_other_answer_does(skill: str) -> None:
    task = TASKS[skill]
    for example in (*task.train, *task.eval, *task.test):
        assert _runs(example, example.answer)
        (number,) = re.findall(r"[0-9]+", example.answer)
        answers = [
            f"    return {operation.expression.replace('K', number)}" for operation in OPERATIONS
        ]
        assert example.answer in answers
        others = [answer for answer in answers if answer != example.answer]
        others.append(example.answer.replace(number, str(int(number) + 1)))
        assert not any(_runs(example, other) for other in others), example


def test_what_is_asked_names_one_operation_only() -> None:
    for task in TASKS:
        phrasings = {re.sub("[0-9]+", "K", example.prompt) for example in task.train}
        done = {re.sub("[0-9]+", "K", example.prompt + example.answer) for example in task.train}
        assert len(phrasings) == len(done) == len(OPERATIONS)


@pytest.mark.skipif(sys.platform == "win32", reason="programs are not run there")
def test_some_answers_pass_and_empty_ones_fail_in_a_process_of_their_own() -> None:
    examples = [example for task in TASKS for example in task.test[:2]]
    programs = [program_text(e.prompt, e.answer, e.test) for e in examples]
    empty = [program_text(e.prompt, "", e.test) for e in examples]
    assert {o.reason for o in run_programs(programs, allow=True)} == {"passed"}
    assert {o.reason for o in run_programs(empty, allow=True)} <= {"syntax error", "wrong answer"}


def test_cutting_leaves_answers_whole() -> None:
    for task in TASKS:
        assert all(cut_completion(e.prompt, e.answer) == e.answer for e in task.test)


def test_another_seed_draws_other_examples() -> None:
    assert code_splits(1)["Names"]["test"] != code_splits(0)["Names"]["test"]
