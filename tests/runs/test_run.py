"""A run folder is made once, locked by one process, and readable at any moment."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from fggm_lab.errors import OtherSettings, RunError
from fggm_lab.files import read_record, write_whole
from fggm_lab.fisher.scores import FisherInfo, FisherScores
from fggm_lab.masks.mask import Mask
from fggm_lab.runs import Run, RunConfig, ScoreMatrix, measure
from fggm_lab.runs.config import SCHEMA

Make = Callable[..., RunConfig]
MakeRun = Callable[..., Run]


def test_a_new_run_opens_and_has_nothing_yet(tmp_path: Path, config: Make) -> None:
    Run.create(tmp_path / "deep" / "sft", config())
    run = Run.open(tmp_path / "deep" / "sft")
    assert run.config == config()
    assert run.name == "sft"
    assert run.scores is run.seconds is run.peak_memory_mb is None
    assert not run.finished
    assert run.events() == []
    assert run.metrics() == dict.fromkeys(measure([], []))
    for read in (run.fisher, run.mask, run.drift, run.checkpoint):
        assert read(0) is None
    assert "sft, 2 tasks, seed 0, unfinished" in repr(run)


def test_a_finished_run_tells_its_numbers(tmp_path: Path, finished_run: MakeRun) -> None:
    run = finished_run(tmp_path / "sft")
    assert run.finished
    assert run.seconds == 30
    assert run.peak_memory_mb == 101
    assert run.learning_seconds == 22  # without the evaluations
    assert run.stored_mb == 0.5
    assert run.metrics()["bwt_gem"] == pytest.approx(-0.5)


def test_an_unfinished_run_counts_its_finished_tasks(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config())
    run.append({"kind": "task", "task": 0, "name": "A", "kept": 4, "units": 4,
                "seconds": {"score": 1, "train": 2, "evaluate": 3}})  # fmt: skip
    assert run.seconds == 6 and run.learning_seconds == 3 and run.stored_mb is None
    assert run.peak_memory_mb is None


def test_a_folder_that_holds_a_run_is_not_made_anew(tmp_path: Path, config: Make) -> None:
    Run.create(tmp_path / "sft", config())
    with pytest.raises(RunError, match="already holds a run; continue it with resume=True"):
        Run.create(tmp_path / "sft", config(seed=1))
    assert Run.open(tmp_path / "sft").config.training.seed == 0


def test_a_run_that_has_just_begun_shows_its_tasks_in_a_notebook(
    tmp_path: Path, config: Make
) -> None:
    run = Run.create(tmp_path / "sft", config())
    assert run.scores is None
    assert all(name in run._repr_html_() for name in run.config.task_names)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, config: Make) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / ".draft.part").write_text("mine too")
    with pytest.raises(RunError, match=r"no run \(thesis\.txt\)"):
        Run.create(tmp_path, config())
    assert sorted(p.name for p in tmp_path.iterdir()) == [".draft.part", "thesis.txt"]
    with pytest.raises(RunError, match="is a file"):
        Run.create(tmp_path / "thesis.txt", config())
    with pytest.raises(RunError, match="cannot make the folder"):
        Run.create(tmp_path / "thesis.txt" / "sft", config())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"model_type": "llama"}', "setting model: field required"),
        ({"lr": "fast"}, "setting lr: "),
        ({"colour": "red"}, "setting colour: "),
    ],
)
def test_a_damaged_or_foreign_configuration_is_one_sentence(
    tmp_path: Path, config: Make, content: Any, sentence: str
) -> None:
    Run.create(tmp_path / "sft", config())
    path = tmp_path / "sft" / "config.json"
    if isinstance(content, dict):
        content = json.dumps({**read_record(path), **content})
    path.write_text(content)
    with pytest.raises(RunError, match=sentence) as caught:
        Run.open(tmp_path / "sft")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_of_a_newer_schema_is_one_sentence_whatever_else_it_holds(
    tmp_path: Path, config: Make
) -> None:
    Run.create(tmp_path / "sft", config())
    path = tmp_path / "sft" / "config.json"
    newer = {"schema_version": SCHEMA + 1, "colour": "red", "lr": {"peak": 1}}
    path.write_text(json.dumps({**json.loads(path.read_text()), **newer}))
    with pytest.raises(RunError) as caught:
        Run.open(tmp_path / "sft")
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    assert f"has schema {SCHEMA + 1}" in message and f"reads up to {SCHEMA}" in message
    assert "upgrade fggm-lab" in message


def test_a_run_of_an_earlier_schema_opens_and_resumes(tmp_path: Path, config: Make) -> None:
    """Schema 1 knew no version and recorded no Fisher scores along a task."""
    Run.create(tmp_path / "sft", config())
    path = tmp_path / "sft" / "config.json"
    written = read_record(path)
    for name in ("schema_version", "fisher_points", "fisher_examples", "score_unlearned"):
        del written[name]
    path.write_text(json.dumps(written))
    run = Run.resume(tmp_path / "sft", config())
    assert run.config.schema_version == 1 and run.config.training.fisher_points is None
    assert run.config.difference(config()) == []


def test_where_no_run_is_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run folder"):
        Run.open(tmp_path / "nothing")
    with pytest.raises(RunError, match="holds no run"):
        Run.open(tmp_path)


def test_resuming_with_other_settings_shows_the_difference(tmp_path: Path, config: Make) -> None:
    Run.create(tmp_path / "sft", config())
    assert Run.resume(tmp_path / "sft", config()).config == config()
    with pytest.raises(RunError) as caught:
        Run.resume(tmp_path / "sft", config(lr=1e-3, seed=3))
    assert "(seed: 0 there, 3 here; lr: 0.0005 there, 0.001 here)" in str(caught.value)


def test_another_process_is_refused_at_once_and_may_read(
    tmp_path: Path, finished_run: MakeRun
) -> None:
    run = finished_run(tmp_path / "sft")
    other = (
        "import sys\nfrom fggm_lab.runs import Run\nfrom fggm_lab.errors import RunError\n"
        "run = Run.open(sys.argv[1])\nassert run.finished and run.scores\n"
        "try:\n    run.lock().__enter__()\nexcept RunError as e:\n    print(e)\n"
    )
    with run.lock():
        done = subprocess.run(
            [sys.executable, "-c", other, str(run.path)], capture_output=True, text=True, timeout=60
        )
    assert "another process is writing to" in done.stdout, done.stderr
    with run.lock():
        pass


def test_a_lock_is_free_after_an_exception_and_held_within_one_process(
    tmp_path: Path, config: Make
) -> None:
    run = Run.create(tmp_path / "sft", config())
    with pytest.raises(KeyboardInterrupt), run.lock():
        with pytest.raises(RunError, match="another process"), Run.open(run.path).lock():
            pass
        raise KeyboardInterrupt
    with Run.open(run.path).lock():
        pass


def test_the_lock_clears_away_what_a_killed_process_left(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config())
    half = run.path / "checkpoints" / ".01-A.x7.part"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half")
    swapped = run.path / "checkpoints" / ".02-B.old"
    swapped.mkdir()
    with run.lock():
        assert not half.exists()
        assert run.checkpoint("B") == run.path / "checkpoints" / "02-B"


@pytest.mark.parametrize("begun", [True, False])
def test_the_lock_leaves_alone_what_is_written_to_a_run_inside(
    tmp_path: Path, config: Make, begun: bool
) -> None:
    run = Run.create(tmp_path / "sft", config())
    inner = run.path / "branches" / "fggm"
    if begun:
        Run.create(inner, config())
        (inner / "run.lock").unlink(missing_ok=True)  # as a copy has none
    else:
        inner.mkdir(parents=True)
        (inner / "run.lock").touch()
    (inner / "checkpoints").mkdir()
    (inner / "checkpoints" / ".01-A.old").mkdir()

    def write(temporary: Path) -> None:
        temporary.write_text("x")
        with run.lock():
            pass

    write_whole(inner / "scores.json", write)
    assert (inner / "scores.json").read_text() == "x"
    assert (inner / "checkpoints" / ".01-A.old").exists()


def test_tasks_are_named_by_place_or_name(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config(task_names=["C-STANCE", "a/b c.d"]))
    assert run.task_key(0) == run.task_key("C-STANCE") == "01-C-STANCE"
    assert run.task_key(1) == "02-a_b_c.d"
    assert run.file("masks", 1).name == "02-a_b_c.d.safetensors"
    for wrong in (2, -1, "FOMC"):
        with pytest.raises(RunError, match="has no task"):
            run.mask(wrong)


def test_drift_comes_back_and_damage_is_said(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config())
    path = run.file("drift", "A")
    path.parent.mkdir()
    save_file({"w": torch.tensor([0.0, 0.5])}, path)
    drift = run.drift("A")
    assert drift is not None and drift["w"].tolist() == [0.0, 0.5]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(RunError, match=r"01-A\.safetensors is damaged"):
        run.drift("A")


def test_a_checkpoint_can_be_removed(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config())
    run.file("checkpoints", 0).mkdir(parents=True)
    assert run.checkpoint(0) == run.path / "checkpoints" / "01-A"
    run.remove_checkpoint(0)
    run.remove_checkpoint(0)
    assert run.checkpoint(0) is None


def test_scores_of_other_tasks_are_refused(tmp_path: Path, finished_run: MakeRun) -> None:
    run = finished_run(tmp_path / "sft")
    ScoreMatrix.empty(["A", "C"]).save(run.path / "scores.json")
    with pytest.raises(RunError, match="other tasks"):
        _ = run.scores


def test_scores_and_masks_of_a_task_come_back(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config())
    info = FisherInfo("empirical", "input", examples=4, tokens=9, model="0" * 16, task="B")
    scores = FisherScores({"w": torch.tensor([3.0, 1.0, 2.0])}, {"w": 0}, None, info)
    scores.save(run.file("fisher", "B"))
    Mask.top(scores, 2 / 3).save(run.file("masks", "B"))
    loaded, mask = run.fisher(1), run.mask(1)
    assert loaded is not None and loaded.units["w"].tolist() == [3.0, 1.0, 2.0]
    assert mask is not None and mask.units["w"].tolist() == [True, False, True]
    assert run.fisher(0) is run.mask(0) is None


def test_scores_along_a_task_come_back_by_step(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config(task_names=["A", "A.B"]))

    def scores(value: float) -> FisherScores:
        info = FisherInfo("empirical", "input", examples=4, tokens=9, model="0" * 16)
        return FisherScores({"w": torch.tensor([value])}, {"w": 0}, None, info)

    assert run.fisher_along("A") == {}
    for task, step, value in ((0, 200, 2.0), (0, 40, 1.0), (1, 0, 3.0), (1, 1234567, 4.0)):
        scores(value).save(run.file("fisher", task, step))
    assert run.file("fisher", 0, 40).name == "01-A@000040.safetensors"
    scores_along = {task: run.fisher_along(task) for task in (0, "A.B")}
    values = {
        task: {s: float(f.units["w"]) for s, f in scores_along[task].items()}
        for task in scores_along
    }
    assert values == {0: {40: 1.0, 200: 2.0}, "A.B": {0: 3.0, 1234567: 4.0}}
    assert list(scores_along[0]) == [40, 200]  # in the order of steps
    assert run.fisher(0) is None and run.fisher(1) is not None
    with pytest.raises(RunError, match="has no task"):
        run.fisher_along("FOMC")


def test_a_run_is_readable_while_it_is_written(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "sft", config())
    reader = Run.open(run.path)

    def write() -> None:
        for step in range(200):
            run.append(
                {
                    "kind": "step",
                    "task": 0,
                    "task_step": step,
                    "step": step,
                    "loss": 1.0,
                    "lr": 0.1,
                    "norm": 1.0,
                    "padding": "x" * 500,
                }
            )
            if step % 20 == 0:
                run.save_scores(ScoreMatrix.empty(["A", "B"]))
        run.append({"kind": "end", "time": "", "seconds": 1})

    writer = threading.Thread(target=write)
    writer.start()
    while not reader.finished:
        steps = [event["step"] for event in reader.events("step")]
        assert steps == list(range(len(steps)))
        assert reader.scores in (None, ScoreMatrix.empty(["A", "B"]))
    writer.join()
    assert len(reader.events("step")) == 200


def test_what_a_reader_was_given_stays_when_the_run_goes_on(tmp_path: Path, config: Make) -> None:
    run = Run.create(tmp_path / "run", config())
    reader = Run.open(run.path)
    assert reader.events() == [] and reader.scores is None and not reader.finished
    run.append({"kind": "start", "time": ""})
    offset = run.event_offset()
    run.append({"kind": "end", "time": "", "seconds": 1.0})
    before = reader.events()
    assert [event["kind"] for event in before] == ["start", "end"] and reader.finished
    run.truncate_events(offset)
    assert [event["kind"] for event in run.events()] == ["start"] and not reader.finished
    assert len(before) == 2
    run.save_scores(ScoreMatrix.empty(run.config.task_names))
    scores = reader.scores
    assert scores is not None
    scores.matrix[0][0] = 1.0
    assert reader.scores == ScoreMatrix.empty(run.config.task_names), "each reader has its own"


def test_a_run_that_has_measured_nothing_yet_has_a_table_for_notebooks(
    tmp_path: Path, config: Make
) -> None:
    html = Run.create(tmp_path / "run", config())._repr_html_()
    assert html.count("<tr>") >= 2 and "None" not in html


def test_a_run_that_another_process_begins_meanwhile_is_gone_on_with(
    tmp_path: Path, config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = Run.create

    def create_as_second(path: Path, settings: RunConfig) -> Run:
        create(path, settings)
        return create(path, settings)

    monkeypatch.setattr(Run, "create", create_as_second)
    run = Run.create_or_resume(tmp_path / "run", config())
    assert run.config == config()
    with pytest.raises(OtherSettings):
        Run.create_or_resume(tmp_path / "run", config(method="fggm"))
