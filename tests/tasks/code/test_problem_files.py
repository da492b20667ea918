"""Code problems from the shapes of HumanEval, MBPP and code-mini; sentences for what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.errors import DataError
from fggm_lab.tasks.code import CodeProblem, read_problems

HUMANEVAL = {
    "task_id": "Own/0",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    "entry_point": "double",
}
MBPP = {
    "task_id": 7,
    "text": 'Write "double", which doubles.',
    "code": "def double(x):\n    return 2 * x",
    "test_list": ["assert double(2) == 4", 'assert double("""a""") == "aa"'],
    "test_setup_code": "import math",
}
MINI = {"prompt": "def f(x):\n", "answer": "    return x", "test": "assert f(1) == 1"}


def _read(folder: Path, *items: Any) -> tuple[CodeProblem, ...]:
    path = folder / "problems.json"
    path.write_text(json.dumps(list(items)))
    return read_problems(path)


def _runs(problem: CodeProblem, completion: str) -> None:
    exec(problem.program(completion), {})


@pytest.mark.parametrize("item", [HUMANEVAL, MBPP, MINI], ids=["HumanEval", "MBPP", "code-mini"])
def test_every_shape_gives_a_program_that_checks_itself(item: Any, tmp_path: Path) -> None:
    (problem,) = _read(tmp_path, item)
    _runs(problem, problem.solution)
    wrong = problem.solution.replace("return ", "return 1 + ")
    with pytest.raises(AssertionError):
        _runs(problem, wrong)
    compile(problem.prompt + problem.solution, "whole", "exec")


def test_mbpp_shows_its_tests_and_runs_its_set_up(tmp_path: Path) -> None:
    (old,) = _read(tmp_path, MBPP)
    assert old.name == "7"
    assert 'Write "double"' in old.prompt and "assert double(2) == 4" in old.prompt
    assert old.test.startswith("import math\n")
    sanitised = {k: v for k, v in MBPP.items() if k not in ("text", "test_setup_code")}
    sanitised |= {"prompt": "Double.", "test_imports": ["import os", "import re"]}
    (new,) = _read(tmp_path, sanitised)
    assert new.test.startswith("import os\nimport re\nassert")


def test_one_object_a_line_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(f"{json.dumps(HUMANEVAL)}\n\n{json.dumps(MBPP)}\n")
    assert [problem.name for problem in read_problems(path)] == ["Own/0", "7"]


def test_an_example_has_the_problems_texts(tmp_path: Path) -> None:
    (problem,) = _read(tmp_path, HUMANEVAL)
    example = problem.example()
    assert (example.prompt, example.answer) == (problem.prompt, problem.solution)
    assert example.test.endswith("check(double)")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({**MINI, "test": ""}, "item 1: a code task without a test: 'test' is missing or empty"),
        ({k: v for k, v in HUMANEVAL.items() if k != "test"}, "a code task without a test"),
        ({**MBPP, "test_list": []}, "a code task without a test: 'test_list'"),
        ({**MBPP, "test_list": "assert 1"}, "'test_list' is not a list of texts"),
        ({k: v for k, v in MINI.items() if k != "answer"}, "has no 'canonical_solution'"),
        ({k: v for k, v in MBPP.items() if k != "code"}, "has no 'code'"),
        ({**HUMANEVAL, "test": "assert double(2) == 4"}, r"has no check\(candidate\)"),
        ({**HUMANEVAL, "entry_point": "import os"}, "give the function's name"),
        ({**MINI, "prompt": 3}, "'prompt' is not text"),
        ("text", "is no object"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(item: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as error:
        _read(tmp_path, MINI, item)
    assert "problems.json, item 1: " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["[]", "{}", "[1", ""])
def test_a_file_without_problems_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "problems.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"problems\.json"):
        read_problems(path)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(MINI) + "\n{")
    with pytest.raises(DataError, match="line 2"):
        read_problems(path)
