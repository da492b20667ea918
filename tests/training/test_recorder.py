"""Tasks that a Trainer or a loop of one's own has learned are a run like any other."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments

import fggm_lab as lab
from fggm_lab.errors import SettingError
from fggm_lab.models.encoding import collate, encode
from fggm_lab.tasks import Example, Task
from tests.support.families import character_tokenizer
from tests.support.small import small_general, small_model, small_tasks

TOKENIZER = character_tokenizer()
SETTINGS = lab.TrainingSettings(lr=1e-2, batch_size=10, epochs=3)


def trained(model: PreTrainedModel, task: Task, out: Path, callback: lab.FGGMCallback) -> Trainer:
    """A Trainer that has learned a task under a mask."""
    batch = collate(encode(TOKENIZER, task.train, 64), pad=0)
    rows = [{name: tensor[i].tolist() for name, tensor in batch.items()} for i in range(10)]
    arguments = TrainingArguments(
        str(out),
        per_device_train_batch_size=10,
        learning_rate=1e-2,
        max_steps=3,
        logging_steps=1,
        save_strategy="no",
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
    )
    trainer = Trainer(model, arguments, train_dataset=rows, callbacks=[callback])
    trainer.train()
    return trainer


def test_a_sequence_of_trainings_is_read_as_a_run(tmp_path: Path) -> None:
    model, tasks, general = small_model(), small_tasks(2), small_general()
    recorder = lab.record(
        tmp_path / "run", model, TOKENIZER, tasks, lab.FGGM(keep=0.3),
        general=general, settings=SETTINGS,
    )  # fmt: skip
    with pytest.raises(SettingError, match="the next one of the sequence is task-0"):
        recorder.after("task-1", steps=3)
    expected, callbacks = [], []
    for task in tasks:
        start = {name: p.detach().clone() for name, p in model.named_parameters()}
        callback = lab.FGGMCallback(keep=0.3)
        trainer = trained(model, task, tmp_path / task.name, callback)
        recorder.after(task.name, trainer)
        scored = lab.evaluate(model, TOKENIZER, tasks, general, max_length=64)
        expected.append([scored[name].score for name in tasks.names])
        assert callback.mask is not None
        callbacks.append(callback)
        drift = recorder.run.drift(task.name)
        assert drift is not None
        for name, moved in drift.items():
            frozen = ~callback.mask.units[name]
            assert not moved[frozen].any(), name
            change = (dict(model.named_parameters())[name].detach() - start[name]).norm()
            torch.testing.assert_close(moved.norm(), change)
    run = lab.Run.open(tmp_path / "run")
    matrix = run.scores
    assert run.finished and matrix is not None and matrix.matrix == expected
    for task, callback in zip(tasks, callbacks, strict=True):
        assert run.mask(task.name) == callback.mask
        recorded = run.fisher(task.name)
        assert callback.scores is not None and recorded is not None
        for name, units in callback.scores.units.items():
            assert torch.equal(recorded.units[name], units)
    steps = run.events("step")
    assert [event["step"] for event in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[3]["loss"] == logged_loss(trainer, 0) and steps[3]["task"] == 1
    row = lab.comparison([run])[0]
    assert row["method"] == "fggm" and row["general_after"] == matrix.general["after"]
    lab.write_report([run], tmp_path / "report.html")
    assert "fggm" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(SettingError, match="all tasks of the sequence are"):
        recorder.after("task-1", steps=3)


def logged_loss(trainer: Trainer, number: int) -> float:
    """The loss that a Trainer has logged at a step."""
    return float(trainer.state.log_history[number]["loss"])


def test_a_loop_of_ones_own_says_its_steps(tmp_path: Path) -> None:
    model, tasks = small_model(), small_tasks(1)
    recorder = lab.record(tmp_path / "run", model, TOKENIZER, tasks, "mine", settings=SETTINGS)
    with pytest.raises(SettingError, match="steps="):
        recorder.after("task-0")
    mask = lab.Mask.random(model, 0.3, seed=1)
    recorder.after("task-0", steps=7, mask=mask)
    event = recorder.run.events("task")[0]
    assert event["kept"] == sum(int(bits.sum()) for bits in mask.units.values())
    assert recorder.run.events("evaluation")[-1]["step"] == 7
    assert recorder.run.config.method == "mine" and recorder.run.mask("task-0") == mask


def test_what_was_not_trained_is_not_recorded(tmp_path: Path) -> None:
    model, tasks = small_model(), small_tasks(2)
    recorder = lab.record(tmp_path / "run", model, TOKENIZER, tasks, lab.FGGM(keep=0.3))
    stranger = trained(small_model(), tasks["task-0"], tmp_path / "0", lab.FGGMCallback())
    with pytest.raises(SettingError, match="another model"):
        recorder.after("task-0", stranger)
    other_share = trained(model, tasks["task-0"], tmp_path / "1", lab.FGGMCallback(keep=0.6))
    with pytest.raises(SettingError, match=r"keep=0.6, and the run is recorded as one of keep=0.3"):
        recorder.after("task-0", other_share)
    with pytest.raises(SettingError, match="steps"):
        recorder.after("task-0", steps=-1)
    trainer = trained(model, tasks["task-0"], tmp_path / "2", lab.FGGMCallback())
    recorder.after("task-0", trainer)
    with pytest.raises(SettingError, match="no step since"):
        recorder.after("task-1", trainer)
    trainer.train()
    recorder.after("task-1", trainer)
    assert recorder.run.finished


def test_what_does_not_fit_is_left_out_of_the_record_if_the_settings_say_so(tmp_path: Path) -> None:
    model, tasks = small_model(), small_tasks(1)
    long = Example("the dog", "x" * 70)
    mixed = lab.TaskSequence([replace(tasks[0], test=(long, *tasks[0].test))], tasks.source)
    settings = SETTINGS.with_changes(skip_too_long=True)
    recorder = lab.record(tmp_path / "run", model, TOKENIZER, mixed, "loop", settings=settings)
    recorder.after("task-0", steps=1)
    scores = [event["tasks"]["task-0"] for event in recorder.run.events("evaluation")]
    assert [score["skipped"] for score in scores] == [1, 1]
    alone = lab.evaluate(model, TOKENIZER, tasks, max_length=64)["task-0"]
    assert [score["score"] for score in scores] == [alone.score] * 2
