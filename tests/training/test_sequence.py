"""A run is complete, repeatable, resumable to the bit, branchable, and says why when it stops."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from fggm_lab.errors import DataError, LabError, RunError, TrainingError
from fggm_lab.methods import FGGM, MIGU, SFT, Method, RandomMask
from fggm_lab.runs import Run
from fggm_lab.runs.events import Event
from fggm_lab.tasks import Example, Task, TaskSequence
from tests.support.resuming import StopAt, assert_same_run, weights
from tests.support.small import small_model, small_run, small_tasks


@pytest.mark.parametrize("method", [SFT(), MIGU(), FGGM(), RandomMask()], ids=lambda m: m.name)
def test_a_run_is_complete_and_repeatable(tmp_path: Path, method: Method) -> None:
    model = small_model()
    before = {n: p.clone() for n, p in model.named_parameters()}
    run = small_run(method, tmp_path / "a")
    assert run.finished
    scores = run.scores
    assert scores is not None
    assert all(cell is not None for row in scores.matrix for cell in row)
    assert scores.general["before"] is not None and scores.general["after"] is not None
    assert [e["name"] for e in run.events("task")] == small_tasks().names
    assert (run.mask(0) is None) == (method.name in ("sft", "migu"))
    in_task = [e for e in run.events("evaluation") if not e["final"]]
    assert [list(e["tasks"]) for e in in_task] == [small_tasks().names[: i + 1] for i in range(3)]
    assert run.config.processor and run.config.threads == torch.get_num_threads()
    assert_same_run(run, small_run(method, tmp_path / "b"))
    assert all(torch.equal(before[n], p) for n, p in model.named_parameters())


@pytest.mark.parametrize("method", [MIGU(), FGGM(scope="global")], ids=lambda m: m.name)
@pytest.mark.parametrize(
    "stop", [("evaluation", 1), ("step", 3), ("step", 8), ("evaluation", 5), ("task", 2)]
)
def test_resumed_equals_uninterrupted(
    tmp_path: Path, method: Method, stop: tuple[str, int]
) -> None:
    uninterrupted = small_run(method, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        small_run(method, tmp_path / "parts", listener=StopAt(*stop))
    assert not Run.open(tmp_path / "parts").finished
    assert_same_run(uninterrupted, small_run(method, tmp_path / "parts", resume=True))


def test_dropout_resumes_exactly_too(tmp_path: Path) -> None:
    uninterrupted = small_run(SFT(), tmp_path / "whole", family="gpt2")
    with pytest.raises(KeyboardInterrupt):
        small_run(SFT(), tmp_path / "parts", family="gpt2", listener=StopAt("step", 9))
    assert_same_run(uninterrupted, small_run(SFT(), tmp_path / "parts", family="gpt2", resume=True))


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    run = small_run(SFT(), tmp_path / "run")
    log = (run.path / "events.jsonl").read_bytes()
    small_run(SFT(), tmp_path / "run", resume=True)
    assert (run.path / "events.jsonl").read_bytes() == log


def test_a_branch_continues_another_runs_model_and_history(tmp_path: Path) -> None:
    uninterrupted = small_run(SFT(), tmp_path / "sft")
    same = small_run(SFT(), tmp_path / "same", branch=(uninterrupted, 0))
    assert_same_run(uninterrupted, same)
    other = small_run(FGGM(), tmp_path / "other", branch=(uninterrupted, 1))
    assert other.scores is not None and uninterrupted.scores is not None
    assert other.scores.matrix[:2] == uninterrupted.scores.matrix[:2]
    assert other.config.branch is not None and other.config.branch.task == 1
    left, right = weights(uninterrupted, 1), weights(other, 1)
    assert all(torch.equal(left[n], right[n]) for n in left)
    mask, drift = other.mask(2), other.drift(2)
    assert mask is not None and drift is not None
    assert all(not drift[n][~moving].any() for n, moving in mask.units.items())


def test_only_the_last_checkpoint_is_kept_when_asked(tmp_path: Path) -> None:
    run = small_run(SFT(), tmp_path / "run", keep_checkpoints=False)
    assert [run.checkpoint(i) is not None for i in range(3)] == [False, False, True]
    assert run.drift(2) is not None


def test_other_settings_cannot_resume_and_the_difference_is_shown(tmp_path: Path) -> None:
    small_run(SFT(), tmp_path / "run")
    with pytest.raises(RunError, match=r"lr: 0.01 there, 0.02 here"):
        small_run(SFT(), tmp_path / "run", lr=0.02, resume=True)
    with pytest.raises(RunError, match="already holds a run; continue it with resume=True"):
        small_run(SFT(), tmp_path / "run")


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        small_run(SFT(), tmp_path / "run", listener=StopAt("step", 3))
    run = Run.open(tmp_path / "run")
    with run.lock(), pytest.raises(RunError, match="another process is writing"):
        small_run(SFT(), tmp_path / "run", resume=True)


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"of task task-\d.*lower the learning rate"):
        small_run(SFT(), tmp_path / "run", lr=1e6, weight_decay=1e6, clip=None, points_per_task=0)
    state = load_file(tmp_path / "run" / "checkpoints" / "resume.safetensors")
    assert all(bool(torch.isfinite(t).all()) for n, t in state.items() if n.startswith("model."))


def test_a_full_disk_is_one_sentence_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uninterrupted = small_run(SFT(), tmp_path / "whole")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    def fill_disk(event: Event) -> None:
        if event["kind"] == "task" and event["task"] == 1:
            monkeypatch.setattr("safetensors.torch.save_file", full)

    with pytest.raises(LabError, match="No space left on device"):
        small_run(SFT(), tmp_path / "parts", listener=fill_disk)
    monkeypatch.undo()
    assert_same_run(uninterrupted, small_run(SFT(), tmp_path / "parts", resume=True))


def _remove(path: Path) -> None:
    path.unlink()


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("damage", [_remove, _cut])
def test_a_damaged_state_is_one_sentence(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    with pytest.raises(KeyboardInterrupt):
        small_run(SFT(), tmp_path / "run", listener=StopAt("task", 1))
    damage(tmp_path / "run" / "checkpoints" / "resume.safetensors")
    log = (tmp_path / "run" / "events.jsonl").read_bytes()
    with pytest.raises(RunError, match=r"is missing or damaged|is gone.*branch from a finished"):
        small_run(SFT(), tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == log


def test_bad_data_is_named_before_anything_is_trained(tmp_path: Path) -> None:
    long = Task("long", (Example("a", "b" * 200),), (), (Example("a", "b"),))
    with pytest.raises(DataError, match="task long, train split: the answer of example 0"):
        small_run(SFT(), tmp_path / "run", tasks=TaskSequence([*small_tasks(1), long], "here"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(DataError, match="task long has no eval split"):
        small_run(SFT(), tmp_path / "run", tasks=TaskSequence([long], "here"), split="eval")


def test_general_is_named_by_its_file(tmp_path: Path) -> None:
    text = tmp_path / "story.txt"
    text.write_text("the dog and the cat and the fox. " * 20)
    run = small_run(SFT(), tmp_path / "run", general=text, tasks=small_tasks(1), epochs=1)
    assert run.scores is not None and run.scores.general["name"] == "story"
    missing = tmp_path / "missing.txt"
    with pytest.raises(DataError, match=r"there is no file or folder .*missing\.txt"):
        small_run(SFT(), tmp_path / "other", general=missing)
    assert not (tmp_path / "other").exists()


def test_scores_json_has_the_keys_that_stored_runs_have(tmp_path: Path) -> None:
    run = small_run(SFT(), tmp_path / "run")
    stored = json.loads((run.path / "scores.json").read_text())
    assert stored["tasks"] == small_tasks().names
    assert len(stored["matrix"]) == len(stored["untrained"]) == 3
    assert {"before", "after"} <= set(stored["general"])


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_parts_of_a_batch_and_recomputing_change_nothing_but_rounding(
    tmp_path: Path, family: str
) -> None:
    def train(name: str, dtype: torch.dtype = torch.float64, **settings: Any) -> dict:
        model = small_model(family, dtype=dtype)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        run = small_run(
            FGGM(), tmp_path / name, model=model, optimizer="sgd", tasks=small_tasks(1), **settings
        )
        return weights(run, 0)

    plain = train("plain")
    variants: dict[str, dict[str, Any]] = {
        "parts": {"micro_batch": 3},
        "recompute": {"recompute": True},
    }
    for name, settings in variants.items():
        for parameter, value in train(name, **settings).items():
            torch.testing.assert_close(value, plain[parameter], rtol=1e-6, atol=1e-8)
    cast = train("autocast", torch.float32, autocast=True)
    off = [float((value - plain[n]).abs().max()) for n, value in cast.items()]
    assert 0 < max(off) < 0.05
