"""Every exercise has a difficulty, a time, hints that grow, and last a solution."""

import json
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.course.exercises import Exercise, all_exercises
from fggm_lab.course.exercises.exercise import LEVELS, exercise
from fggm_lab.course.progress import VARIABLE, read_progress
from fggm_lab.tasks.shipped import notebooks_folder
from tools.exercise_marks import HEADING, with_marks

NOTEBOOKS = sorted(notebooks_folder().rglob("*.ipynb"))
every_exercise = pytest.mark.parametrize("one_exercise", all_exercises(), ids=lambda e: e.key)


@exercise("00z", "A double", level=2, minutes=5, hints=("think", "times two"))
def check_double(answer: Any) -> str:
    """Try a function that doubles."""
    return "Right: doubled." if answer(2) == 4 else "Not yet: that is no double."


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Exercise[Any]:
    """An exercise of which no hint was asked for."""
    monkeypatch.setattr(check_double, "_shown", 0)
    return check_double


@every_exercise
def test_an_exercise_says_how_hard_it_is_and_helps_in_steps(one_exercise: Exercise[Any]) -> None:
    assert 1 <= one_exercise.level <= LEVELS and 1 <= one_exercise.minutes <= 30
    assert 2 <= len(set(one_exercise.hints)) <= 3
    assert one_exercise.title and all(hint.endswith((".", "?", ")")) for hint in one_exercise.hints)


@every_exercise
def test_the_solution_is_the_one_folded_away_in_the_notebook(one_exercise: Exercise[Any]) -> None:
    solution = one_exercise.solution()
    assert solution.startswith("<details>") and solution.endswith("</details>")
    assert solution.count("<details>") == 1, "of one exercise alone"


def test_hints_come_one_after_another_and_last_the_solution(double: Exercise[Any]) -> None:
    texts = [str(double.hint()) for _ in range(4)]
    assert "1 of 2: think" in texts[0] and "2 of 2: times two" in texts[1]
    assert texts[2] == texts[3] == double.solution()


def test_a_notebook_folds_the_solution_and_a_terminal_prints_it() -> None:
    (first, *_) = (e for e in all_exercises() if e.key == "00a")
    first._shown = len(first.hints)
    hint = first.hint()
    first._shown = 0
    assert hint._repr_markdown_().startswith("<details><summary>A solution</summary>")
    assert "def most_forgotten" in repr(hint) and "\\n" not in repr(hint)


def test_a_check_is_called_and_documented_as_a_function(double: Exercise[Any]) -> None:
    assert double(lambda x: 2 * x) == "Right: doubled."
    assert double.__doc__ == "Try a function that doubles." and double.name == "check_double"
    assert double.mark == "(●●○ 5 min · `check_double.hint()`)"


def test_an_answer_that_raises_is_a_try(
    double: Exercise[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "progress.json"))
    with pytest.raises(ZeroDivisionError):
        double(lambda x: x / 0)
    assert read_progress(tmp_path / "progress.json")["00z"].tries == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_notebooks_show_what_the_exercises_say_of_themselves(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    number = path.name[:2]
    assert with_marks(notebook, number) == notebook, "python -m tools.exercise_marks writes them"
    prose = "".join("".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "markdown")
    marked = [heading["letter"] for heading in HEADING.finditer(prose) if heading["mark"]]
    assert marked == [e.letter for e in all_exercises() if e.notebook == number]
