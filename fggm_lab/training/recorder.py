"""Trainings that something else carries out, recorded as a run that every explorer reads."""

import time
from pathlib import Path

from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerState

from fggm_lab.checks import check_count
from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherScores
from fggm_lab.masks import Mask, moving_units
from fggm_lab.methods import Method, as_method
from fggm_lab.models import example_length, unit_axes
from fggm_lab.models.check import check_language_model
from fggm_lab.runs import Run
from fggm_lab.runs.events import TaskEvent
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import General, TaskSequence
from fggm_lab.tasks.general import as_general
from fggm_lab.training.callback import fggm_callbacks
from fggm_lab.training.drift import unit_drift
from fggm_lab.training.measuring import measured_after
from fggm_lab.training.resume_state import TrainingProgress
from fggm_lab.training.run_config import run_config
from fggm_lab.training.task import StepReport
from fggm_lab.training.used_data import UsedData, used_data
from fggm_lab.training.writer import RunWriter


def record(
    out: Path | str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    method: Method | str,
    *,
    general: General | str | Path | None = None,
    settings: TrainingSettings | None = None,
) -> "Recorder":
    """Begin the record of a model that a Trainer, or a loop of your own, trains task after task.

        recorder = lab.record("runs/mine", model, tokenizer, tasks, lab.FGGM(keep=0.3))
        for task in tasks:
            trainer = Trainer(model, args, train_dataset=rows[task.name],
                              callbacks=[lab.FGGMCallback(keep=0.3)])
            trainer.train()
            recorder.after(task.name, trainer)
        lab.explore(recorder.run)

    The model is scored now, and after each task. Nothing is trained here.

    Args:
        out: the run's folder, which must not exist yet.
        model: before its first task; the same object is trained and passed on.
        tokenizer: the model's.
        tasks: in the order in which they are going to be learned, with the examples that score
            them.
        method: what the tasks are learned by: one of the lab's, whose settings are recorded, or any
            name.
        general: what General is measured on, or what `load_general` takes; None: not measured.
        settings: how the tasks are trained and scored (learning rate, batch size, seed, lengths,
            split), for the record and for scoring. What is trained with is known to you alone, so
            nothing checks it; None: the defaults.

    Returns:
        The recorder.

    Raises:
        DataError: a task lacks the split that it is scored on, or an answer does not fit.
        ModelError: it is no causal language model.
        RunError: there is a run in the folder.
        SettingError: the method is none.
    """
    check_language_model(model, tokenizer)
    if not isinstance(method, str):
        method = as_method(method)
    training = (settings or TrainingSettings()).for_tasks(tasks.names)
    training = training.with_changes(max_length=example_length(model, training.max_length))
    used = used_data(model, tokenizer, tasks, as_general(general, training.split), training)
    config = run_config(
        model,
        tokenizer,
        used.tasks,
        used.general,
        method=method if isinstance(method, str) else method.name,
        method_settings={} if isinstance(method, str) else method.settings,
        training=training,
    )
    return Recorder(Run.create(out, config), model, tokenizer, used)


class Recorder:
    """Writes a run whose tasks are learned elsewhere; made by `record`.

    Attributes:
        run: what is written, readable all along.
    """

    def __init__(
        self,
        run: Run,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        used: UsedData,
    ) -> None:
        """Score the model before its first task.

        Args:
            run: empty.
            model: before its first task.
            tokenizer: the model's.
            used: the tasks, in their order, and General.
        """
        self.run = run
        self._model, self._tokenizer = model, tokenizer
        self._tasks, self._general = used.tasks, used.general
        self._writer = RunWriter(run, model, tokenizer, used, None)
        self._progress = TrainingProgress()
        self._recorded: TrainerState | None = None
        with run.lock():
            self._writer.start([0] * len(used.tasks))
            self._measure(-1)
        self._before = self._weights()

    def after(
        self,
        task: str,
        trainer: Trainer | None = None,
        *,
        steps: int | None = None,
        mask: Mask | None = None,
        scores: FisherScores | None = None,
    ) -> None:
        """Record that a task was learned: score the model, and keep what is known of the training.

        Args:
            task: its name, the next in the sequence.
            trainer: that trained it. Its log has the steps, its `FGGMCallback` scores and mask.
            steps: how many steps a loop of your own took; needed without a Trainer.
            mask: under which it was trained; None: that of the Trainer's callback, if there is one,
                else all units were free to move.
            scores: that the mask was cut from, or that are to be looked at.

        Raises:
            SettingError: it is another task's turn, the number of steps is not known, the Trainer
                has trained another model or nothing, or the mask's share is not the method's.
            ModelError: the mask is of another model.
        """
        index = self._progress.task
        if index == len(self._tasks) or task != self._tasks.names[index]:
            turn = (
                "all tasks of the sequence are"
                if index == len(self._tasks)
                else f"the next one of the sequence is {self._tasks.names[index]}"
            )
            raise SettingError(
                f"task {task} was to be recorded, and {turn}; "
                "record each task once, in the order of the sequence"
            )
        callback = None if trainer is None else next(iter(fggm_callbacks(trainer)), None)
        if callback is not None:
            mask = mask or callback.mask
            scores = scores or callback.scores
        if trainer is not None:
            self._check_trainer(task, trainer)
            steps = trainer.state.global_step
        if steps is None:
            raise SettingError(f"task {task}: give the Trainer, or steps=, how many were taken")
        check_count("steps", steps, minimum=0)
        if mask is not None:
            mask.check(self._model)
            self._check_keep(task, mask)
        with self.run.lock():
            if trainer is not None:
                self._log(trainer)
            self._progress.task_step = steps
            self._progress.step += steps
            start = time.perf_counter()
            self._measure(index)
            self._progress.seconds["evaluate"] = time.perf_counter() - start
            if scores is not None:
                self._writer.save_fisher(scores, index)
            if mask is not None:
                self._writer.save_mask(mask, index)
            drift = unit_drift(self._before, self._model, unit_axes(self._model))
            self._writer.save_tensors("drift", index, drift)
            self._task_event(index, task, mask)
            self._progress = TrainingProgress(task=index + 1, step=self._progress.step)
            self._recorded = None if trainer is None else trainer.state
            if index + 1 == len(self._tasks):
                self._writer.end()
        self._before = self._weights()

    def _check_trainer(self, task: str, trainer: Trainer) -> None:
        """Refuse a Trainer that has not trained this model on this task.

        Raises:
            SettingError: its model is another, or it has not trained since the last record.
        """
        parameters = {id(parameter) for parameter in self._model.parameters()}
        if not any(id(parameter) in parameters for parameter in trainer.model.parameters()):
            raise SettingError(
                f"task {task}: the Trainer has trained another model than the one that is recorded "
                "and scored; give all Trainers the model that record() was given"
            )
        if trainer.state.global_step == 0 or trainer.state is self._recorded:
            raise SettingError(
                f"task {task}: the Trainer has taken no step since the last record; train it first"
            )

    def _check_keep(self, task: str, mask: Mask) -> None:
        """Refuse a mask of another share than the recorded method's.

        Raises:
            SettingError: it is one.
        """
        keep = self.run.config.method_settings.get("keep", mask.info.keep)
        if mask.info.source == "top" and mask.info.keep != keep:
            raise SettingError(
                f"task {task} was trained under a mask of keep={mask.info.keep}, and the run is "
                f"recorded as one of keep={keep}; record() it with the method that trains it"
            )

    def _weights(self) -> dict[str, Tensor]:
        """A copy of the parameters, on the CPU."""
        return {n: p.detach().to("cpu", copy=True) for n, p in self._model.named_parameters()}

    def _measure(self, task: int) -> None:
        measured = measured_after(
            task, self._model, self._tokenizer, self._tasks, self._general, self.run.config
        )
        self._writer.evaluation(task, measured, True, self._progress)
        self._writer.save_scores()

    def _log(self, trainer: Trainer) -> None:
        """Take over what the Trainer has logged of its steps."""
        for entry in trainer.state.log_history:
            if "loss" in entry and "learning_rate" in entry:
                norm = entry.get("grad_norm")
                self._writer.step(
                    StepReport(
                        int(entry["step"]),
                        float(entry["loss"]),
                        float(entry["learning_rate"]),
                        float("nan") if norm is None else float(norm),
                        0.0,
                    ),
                    TrainingProgress(
                        task=self._progress.task, step=self._progress.step + int(entry["step"])
                    ),
                )
            self._progress.seconds["train"] += float(entry.get("train_runtime", 0.0))

    def _task_event(self, index: int, name: str, mask: Mask | None) -> None:
        moving, units = moving_units(self._model, mask)
        self._writer.write_event(
            TaskEvent(
                kind="task",
                task=index,
                name=name,
                seconds=self._progress.seconds,
                kept=moving,
                units=units,
            )
        )
