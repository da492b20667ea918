"""Grading reads what notebooks say, and runs them only when asked, within its limits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.course.grading import grade, notebooks_in
from fggm_lab.tasks.shipped import notebooks_folder
from tests.support.command_line import CommandResult

Call = Callable[..., CommandResult]
IMPORT = "from fggm_lab.course.exercises.overlap import check_chance_overlap, check_union_share\n"
RIGHT = "print(check_chance_overlap(lambda p: p / (2 - p)))"
WRONG = "print(check_chance_overlap(lambda p: p))"
FIRST = "00_forgetting_and_fggm.ipynb"


def write(path: Path, *sources: str, outputs: str = "") -> Path:
    stored = [{"output_type": "stream", "name": "stdout", "text": outputs}] if outputs else []
    code: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": stored}
    code["execution_count"] = None
    cells = [code | {"id": f"c{i}", "source": source} for i, source in enumerate(sources)]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_the_course_as_shipped_has_no_exercise_right() -> None:
    grades = grade([notebooks_folder()])
    assert not grades.problems
    assert {result.passed for result in grades.results} == {False}
    assert all(r.sentence.partition(": ")[2] for r in grades.results), "each check was read"


def test_stored_sentences_are_read_and_nothing_is_run(tmp_path: Path, call: Call) -> None:
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')"
    write(tmp_path / "class" / "anna" / FIRST, trap, RIGHT, outputs="Right: 0.176.\n")
    write(tmp_path / "class" / "ben" / FIRST, trap, WRONG, outputs="Not yet: p is …\n")
    shown = call("grade", tmp_path / "class", "--json-file", tmp_path / "grades.json")
    assert shown.status == 0 and "--run" in shown.out
    rows = json.loads((tmp_path / "grades.json").read_text(encoding="utf-8"))
    third = {row["student"]: row for row in rows if row["exercise"] == "c"}
    assert [third[name]["passed"] for name in ("anna", "ben")] == [True, False]
    assert len(rows) == 6, "three exercises of a student, tried or not"
    assert not (tmp_path / "ran").exists()


def test_running_takes_the_checks_word_and_not_the_notebook_s(tmp_path: Path, call: Call) -> None:
    """The notebook raises on the way, is right once, and once only claims to be."""
    claim = f"{IMPORT}print('Right: honestly.') or check_union_share(lambda p, k: p)\n"
    write(tmp_path / "anna" / FIRST, "1 / 0", claim + RIGHT, outputs="Right: x.\n")
    result = call("grade", tmp_path, "--run", "--json")
    assert result.status == 0 and "run on this machine" in result.err
    rows = {row["notebook"] + row["exercise"]: row for row in json.loads(result.out)}
    assert rows["00c"]["passed"] and rows["00c"]["tries"] == 1
    assert not rows["05b"]["passed"] and rows["05b"]["sentence"].startswith("Not yet")
    assert [path.name for path in (tmp_path / "anna").iterdir()] == [FIRST]


def test_a_notebook_that_does_not_end_is_stopped(tmp_path: Path, call: Call) -> None:
    write(tmp_path / "anna" / FIRST, "while True: pass", RIGHT, outputs="Right: x.\n")
    result = call("grade", tmp_path, "--run", "--seconds", "1")
    assert result.status == 2 and "stopped after 1 s" in result.err and "0/3" in result.out


def test_a_student_is_a_folder_or_else_a_file(tmp_path: Path) -> None:
    for name in (f"anna/{FIRST}", f"anna/de/{FIRST}", "ben_00.ipynb", f"ben/x/{FIRST}"):
        write(tmp_path / name, RIGHT)
    write(tmp_path / "anna" / ".ipynb_checkpoints" / FIRST, RIGHT)
    assert [notebook.student for notebook in notebooks_in([tmp_path])] == [
        "anna", "anna", "ben/x", "ben_00",
    ]  # fmt: skip
    (alone,) = notebooks_in([tmp_path / "anna" / FIRST])
    assert alone.student == "anna"


def test_a_notebook_that_cannot_be_graded_is_named_and_the_others_are_graded(
    tmp_path: Path, call: Call
) -> None:
    write(tmp_path / "anna" / FIRST, RIGHT, outputs="Right: 0.176.\n")
    write(tmp_path / "ben" / "thesis.ipynb", "1 + 1")
    (tmp_path / "carl.ipynb").write_text("{")
    (tmp_path / "dora.ipynb").write_text("{}")
    result = call("grade", tmp_path)
    assert result.status == 2 and "1/3" in result.out
    for name in ("thesis.ipynb has no exercise", "carl.ipynb is not valid", "dora.ipynb is no"):
        assert name in result.err


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_path_without_notebooks_is_named(name: str, tmp_path: Path, call: Call) -> None:
    (tmp_path / "empty").mkdir()
    assert name in call("grade", tmp_path / name).refusal
