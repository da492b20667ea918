"""The course's runs are trained once, shared by notebooks, and never put in place of another's."""

import dataclasses
import threading
from pathlib import Path

import pytest

import fggm_lab as lab
from fggm_lab.course import runs as course
from fggm_lab.errors import RunError, SettingError
from fggm_lab.files import read_record, write_json
from fggm_lab.runs import Run, find_runs
from fggm_lab.tasks import General

Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with a second's training: two steps a task, two short skills."""

    def general(source: str) -> General:
        shipped = lab.load_general(source)
        skills = {name: shipped.skills[name][:2] for name in ("copy", "sum")}
        return dataclasses.replace(shipped, skills=skills)

    small = {"limit": 4, "epochs": 2, "points_per_task": 0, "fisher_examples": 2}
    monkeypatch.setattr(course, "SETTINGS", course.SETTINGS.with_changes(**small))
    monkeypatch.setattr(course, "load_general", general)


def stamp(run: Run) -> list[tuple[str, int]]:
    """When each of a run's files was written."""
    files = sorted(path for path in run.path.rglob("*") if path.is_file())
    return [(str(file), file.stat().st_mtime_ns) for file in files]


def test_trained_once_and_read_from_then_on(tmp_path: Path, capsys: Printed) -> None:
    runs = lab.course_runs("sft", "fggm", seeds=(0, 1), folder=tmp_path / "course")
    paths = [run.path.relative_to(tmp_path / "course").as_posix() for run in runs]
    assert paths == ["0/sft", "1/sft", "0/fggm", "1/fggm"]
    assert all(run.finished and run.config.task_names == list(course.TASKS) for run in runs)
    assert capsys.readouterr().out.count("training ") == 4
    before = [stamp(run) for run in runs]
    again = lab.course_runs("fggm", folder=tmp_path / "course")
    assert [run.path for run in again] == [runs[2].path]
    assert capsys.readouterr().out == ""
    assert [stamp(run) for run in runs] == before
    assert len(find_runs(tmp_path / "course")) == 4


def test_they_hold_what_the_course_looks_at(tmp_path: Path) -> None:
    (run,) = lab.course_runs("sft", folder=tmp_path / "course")
    assert run.scores is not None and run.scores.general["after"] is not None
    for task in course.TASKS:
        assert list(run.fisher_along(task)) == [0, 1, 2]
        assert run.drift(task) is not None and run.checkpoint(task) is not None


def test_an_interrupted_one_goes_on(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = course.run_sequence
    with monkeypatch.context() as patch:
        stopping = {"pause": lambda: True}
        patch.setattr(course, "run_sequence", lambda *a, **k: train(*a, **{**k, **stopping}))
        (paused,) = lab.course_runs("sft", folder=tmp_path)
    assert not paused.finished
    (run,) = lab.course_runs("sft", folder=tmp_path)
    assert run.finished and len(run.events("start")) == 1
    (uninterrupted,) = lab.course_runs("sft", folder=tmp_path / "uninterrupted")
    assert run.scores == uninterrupted.scores


def test_two_notebooks_at_once_share_one_training(tmp_path: Path, capsys: Printed) -> None:
    runs: list[Run] = []

    def notebook() -> None:
        runs.extend(lab.course_runs("random", folder=tmp_path / "course"))

    notebooks = [threading.Thread(target=notebook) for _ in range(3)]
    for thread in notebooks:
        thread.start()
    for thread in notebooks:
        thread.join()
    assert [run.finished for run in runs] == [True] * 3
    assert len({run.path for run in runs}) == 1
    assert len(runs[0].events("end")) == 1
    assert capsys.readouterr().out.count("(once)") == 1


def test_one_of_an_earlier_course_is_trained_anew(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "course"
    with monkeypatch.context() as patch:
        patch.setattr(course, "SETTINGS", course.SETTINGS.with_changes(lr=1e-4))
        lab.course_runs("sft", "random", folder=folder)
    (folder / "notes.txt").write_text("mine")
    (run,) = lab.course_runs("sft", folder=folder)
    assert run.config.training.lr == course.SETTINGS.lr and run.finished
    assert Run.open(folder / "0" / "random").config.training.lr == 1e-4  # only what was asked for
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_run_of_somebody_elses_is_never_replaced(tmp_path: Path, quick_run: Run) -> None:
    before = stamp(quick_run)
    with pytest.raises(RunError, match=r"is not a run of this course \(.*lr: 0\.0005 there"):
        lab.course_runs("sft", seeds=[1], folder=quick_run.path.parents[1])
    assert stamp(quick_run) == before


@pytest.fixture
def quick_run(tmp_path: Path) -> Run:
    """A user's run where `make seeds` would put it: <folder>/<seed>/<method>."""
    model, tokenizer = lab.load_model("tiny", device="cpu")
    tasks = lab.load_tasks("trace-mini", order=list(course.TASKS))
    return lab.run_sequence(
        model, tokenizer, tasks, lab.SFT(), tmp_path / "seeds" / "1" / "sft",
        seed=1, limit=2, epochs=1, points_per_task=0, model_name="tiny",
    )  # fmt: skip


def test_a_run_of_a_newer_lab_is_left_to_it(tmp_path: Path) -> None:
    (run,) = lab.course_runs("sft", folder=tmp_path / "course")
    config = read_record(run.path / "config.json")
    write_json(run.path / "config.json", {**config, "schema_version": 99})
    with pytest.raises(RunError, match=r"schema 99.*upgrade fggm-lab"):
        lab.course_runs("sft", folder=tmp_path / "course")


def test_what_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no method is named 'magic'"):
        lab.course_runs("sft", "magic", folder=tmp_path / "course")
    assert not (tmp_path / "course").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot be made.*FGGM_LAB_COURSE_RUNS"):
        lab.course_runs("sft", folder=tmp_path / "file")


def test_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(course.FOLDER, raising=False)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert course.default_folder() == Path("runs/course")  # no project around it
    (tmp_path / "Makefile").write_text("")
    assert course.default_folder() == Path("../runs/course")
    monkeypatch.chdir(tmp_path)
    assert course.default_folder() == Path("runs/course")
    monkeypatch.setenv(course.FOLDER, str(tmp_path / "elsewhere"))
    assert course.default_folder() == tmp_path / "elsewhere"
