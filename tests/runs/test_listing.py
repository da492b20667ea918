"""Runs are found wherever they lie in a folder, and nothing else is taken for one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.errors import RunError
from fggm_lab.runs import Run, RunConfig, RunsLike, as_runs, find_runs

Make = Callable[..., RunConfig]


def test_runs_are_found_at_any_depth_in_order(tmp_path: Path, config: Make) -> None:
    for name in ("seed2/sft", "seed1/fggm", "seed1/sft"):
        Run.create(tmp_path / name, config())
    (tmp_path / "notes.txt").write_text("")
    paths = [run.path.relative_to(tmp_path).as_posix() for run in find_runs(tmp_path)]
    assert paths == ["seed1/fggm", "seed1/sft", "seed2/sft"]
    assert [run.name for run in find_runs(tmp_path / "seed2" / "sft")] == ["sft"]


def test_models_and_half_made_folders_are_no_runs(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config())
    for folder in (run.file("checkpoints", 0), tmp_path / "model", tmp_path / ".hidden"):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.lock").write_text("")
    assert [found_run.path for found_run in find_runs(tmp_path)] == [run.path]


def test_nothing_there_is_no_run_but_no_folder_is_an_error(tmp_path: Path) -> None:
    assert find_runs(tmp_path) == []
    with pytest.raises(RunError, match="there is no folder"):
        find_runs(tmp_path / "nothing")


def test_a_damaged_run_is_named(tmp_path: Path, config: Make) -> None:
    Run.create(tmp_path / "sft", config())
    Run.create(tmp_path / "migu", config())
    (tmp_path / "sft" / "config.json").write_text('{"method": "sft"')
    with pytest.raises(RunError, match=r"sft/config\.json is not valid JSON"):
        find_runs(tmp_path)


def test_a_run_of_a_newer_schema_is_named(tmp_path: Path, config: Make) -> None:
    Run.create(tmp_path / "migu", config())
    run = Run.create(tmp_path / "sft", config())
    path = run.path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(RunError, match=r"sft/config\.json has schema 99"):
        find_runs(tmp_path)


def test_a_run_a_list_and_a_folder_are_the_same_runs(tmp_path: Path, config: Make) -> None:
    a, b = (Run.create(tmp_path / name, config()) for name in ("a", "b"))
    forms: list[RunsLike] = [
        tmp_path,
        str(tmp_path),
        [a, b],
        [a, tmp_path / "b"],
        iter([tmp_path]),
        (a.path, b),
    ]
    for form in forms:
        assert [run.path for run in as_runs(form)] == [a.path, b.path]
    assert as_runs(a) == [a]
    assert [run.path for run in as_runs(b.path)] == [b.path]


def test_what_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run under"):
        as_runs(tmp_path)
    with pytest.raises(RunError, match="there is no run to compare or look at"):
        as_runs([])
    with pytest.raises(RunError, match="a run or a folder of runs is needed, not 3"):
        as_runs(3)  # type: ignore[arg-type]
