"""Runs are found wherever they lie in a folder, and nothing else is taken for one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.errors import RunError
from fggm_lab.runs import Run, RunConfig, RunsLike, as_runs, find_runs
from fggm_lab.runs.folders import run_folders

Make = Callable[..., RunConfig]


def test_runs_are_found_at_any_depth_in_order(tmp_path: Path, config: Make) -> None:
    for name in ("seed2/sft", "seed1/fggm", "seed1/sft"):
        Run.create(tmp_path / name, config())
    (tmp_path / "notes.txt").write_text("")
    paths = [run.path.relative_to(tmp_path).as_posix() for run in find_runs(tmp_path)]
    assert paths == ["seed1/fggm", "seed1/sft", "seed2/sft"]
    assert [run.name for run in find_runs(tmp_path / "seed2" / "sft")] == ["sft"]


def test_a_folder_reached_too_deep_is_searched_where_it_is_near(
    tmp_path: Path, config: Make
) -> None:
    deep = tmp_path / "a" / "b"
    Run.create(deep / "run", config())
    (tmp_path / "near").symlink_to(deep, target_is_directory=True)
    assert [path.name for path in run_folders(tmp_path, depth=2)] == ["run"]


def test_a_folder_that_links_lead_to_is_searched_once(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "z" / "sft", config())
    elsewhere = Run.create(tmp_path / "outside" / "fggm", config())
    search = tmp_path / "search"
    search.mkdir()
    (search / "round").symlink_to(search, target_is_directory=True)
    (search / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "z").rename(search / "z")
    for link, target in (("a", search / "z"), ("b", elsewhere.path), ("c", elsewhere.path.parent)):
        (search / link).symlink_to(target, target_is_directory=True)
    paths = [r.path.relative_to(search).as_posix() for r in find_runs(search)]
    assert paths == ["b", f"z/{run.name}"]
    assert [r.path for r in find_runs(search / "a")] == [search / "a" / "sft"]


def test_a_search_without_an_end_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        (tmp_path / str(number)).mkdir()
    monkeypatch.setattr("fggm_lab.runs.folders.MOST_FOLDERS", 9)
    with pytest.raises(RunError, match=r"more than 9 folders under .* nearer to them"):
        find_runs(tmp_path)


def test_folders_that_the_kernel_makes_up_are_not_searched(
    tmp_path: Path, config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    Run.create(tmp_path / "proc" / "sft", config())
    real = Run.create(tmp_path / "home" / "sft", config())
    monkeypatch.setattr("fggm_lab.runs.folders._MADE_UP", (str(tmp_path / "proc"),))
    assert [r.path for r in find_runs(tmp_path)] == [real.path]


def test_models_and_half_made_folders_are_no_runs(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config())
    for folder in (run.file("checkpoints", 0), tmp_path / "model", tmp_path / ".hidden"):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "run.lock").write_text("")
    assert [found_run.path for found_run in find_runs(tmp_path)] == [run.path]


def test_a_run_that_lost_its_configuration_is_left_out_and_said(
    tmp_path: Path, config: Make
) -> None:
    intact, lost = (Run.create(tmp_path / name, config()) for name in ("sft", "fggm"))
    (lost.path / "events.jsonl").write_text(json.dumps({"kind": "start"}) + "\n")
    (lost.path / "config.json").unlink()
    with pytest.warns(UserWarning, match=r"fggm holds a run's log .* left out"):
        runs = find_runs(tmp_path)
    assert [run.path for run in runs] == [intact.path]


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
