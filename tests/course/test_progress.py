"""Progress is recorded where a person works, survives what happens to files, and is shown."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fggm_lab as lab
from fggm_lab.course.exercises import all_exercises
from fggm_lab.course.exercises.masks import check_masked_step
from fggm_lab.course.exercises.methods import check_plan
from fggm_lab.course.exercises.overlap import check_chance_overlap
from fggm_lab.course.folder import MARKER
from fggm_lab.course.progress import FILE, VARIABLE, progress_file, read_progress
from fggm_lab.errors import DataError
from tests.support.command_line import CommandResult

Call = Callable[..., CommandResult]
TOTAL = len(all_exercises())


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the course in which a person works in JupyterLab."""
    (tmp_path / MARKER).write_text("a copy")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("JPY_SESSION_NAME", "00.ipynb")
    return tmp_path


def test_tries_and_hints_are_counted_up_to_the_first_right_answer(copy: Path) -> None:
    check_chance_overlap(lambda p: p)
    check_chance_overlap.hint()
    check_chance_overlap.hint()
    check_chance_overlap(lambda p: p / (2 - p))
    record = read_progress(copy / FILE)
    assert list(record) == ["00c"]
    assert (record["00c"].tries, record["00c"].hints) == (2, 2) and record["00c"].passed
    check_chance_overlap(lambda p: 0)
    check_chance_overlap.hint()
    assert read_progress(copy / FILE) == record


def test_a_language_s_folder_belongs_to_its_copy(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copy / "de").mkdir()
    monkeypatch.chdir(copy / "de")
    assert progress_file() == copy / FILE


def test_nothing_is_recorded_without_a_person_a_copy_or_the_right_to_write(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    check_chance_overlap(lambda p: p)
    monkeypatch.delenv(VARIABLE)
    monkeypatch.delenv("JPY_SESSION_NAME")
    check_chance_overlap(lambda p: p)
    monkeypatch.setenv("JPY_SESSION_NAME", "00.ipynb")
    monkeypatch.setattr(os, "access", lambda *question: False)
    check_chance_overlap(lambda p: p)
    assert not (copy / FILE).exists()
    (copy / MARKER).unlink()
    assert progress_file() is None


def test_a_check_that_serves_elsewhere_is_no_try_there(copy: Path) -> None:
    class Rehearsal(lab.RandomMask):
        pass

    check_plan(lab.RandomMask())
    assert not (copy / FILE).exists()
    check_plan(Rehearsal())
    assert read_progress(copy / FILE)["09a"].passed


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{", "not valid JSON"),
        ("{}", "'exercises'"),
        ("[]", "is not a JSON object"),
        ('{"version": 9, "exercises": {}}', "version"),
        ('{"version": 1, "exercises": {"00a": {"tries": -1}}}', "00a: tries is -1"),
        ('{"version": 1, "exercises": {"00a": {"passed": "today"}}}', "00a"),
        ('{"version": 1, "exercises": {"00a": {"trys": 1}}}', "00a"),
    ],
)
def test_a_damaged_file_stays_as_it_is_and_a_sentence_says_so(
    text: str, names: str, copy: Path, call: Call
) -> None:
    (copy / FILE).write_text(text)
    with pytest.warns(UserWarning, match="not recorded"):
        assert check_chance_overlap(lambda p: p).startswith("Not yet")
    assert (copy / FILE).read_text() == text
    refusal = call("progress", copy).refusal
    assert FILE in refusal and names in refusal


def test_it_is_shown_as_a_table_and_in_words(copy: Path, call: Call) -> None:
    check_chance_overlap(lambda p: p / (2 - p))
    check_masked_step(lambda weight, gradient, bits, rate: weight)
    results = lab.course_progress()
    assert f"1 of {TOTAL} exercises right; next: 00 a" in repr(results)
    page = results._repr_html_()
    assert "a· b· c✓" in page and page.count("<tr>") == 14  # a head, thirteen notebooks
    assert f"1 of {TOTAL} exercises right" in call("progress").out


def test_without_a_record_everything_is_open(copy: Path) -> None:
    assert f"0 of {TOTAL}" in repr(lab.course_progress())


def test_several_students_make_one_table(
    call: Call, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, answer in {"anna": lambda p: p / (2 - p), "ben": lambda p: p}.items():
        (copy / "class" / name).mkdir(parents=True)
        monkeypatch.setenv(VARIABLE, str(copy / "class" / name / FILE))
        check_chance_overlap(answer)
    shown = call("progress", copy / "class", "--csv", copy / "class.csv")
    assert f"1/{TOTAL}" in shown.out and f"0/{TOTAL}" in shown.out
    rows = list(csv.DictReader((copy / "class.csv").open(encoding="utf-8")))
    assert len(rows) == 2 * TOTAL
    third = {row["student"]: row for row in rows if row["notebook"] + row["exercise"] == "00c"}
    assert [third[name]["passed"] for name in ("anna", "ben")] == ["True", "False"]
    assert third["ben"]["tries"] == "1" and third["ben"]["sentence"].startswith("Not yet")
    as_json: list[dict[str, Any]] = json.loads(call("progress", copy / "class", "--json").out)
    assert [str(row["passed"]) for row in as_json] == [row["passed"] for row in rows]


def test_a_folder_without_a_record_is_named(copy: Path, call: Call) -> None:
    assert str(copy) in call("progress", copy).refusal
    with pytest.raises(DataError, match="copy of the course"):
        lab.course_progress(copy)
