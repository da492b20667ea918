"""One process's work on one run: begin, branch or resume, train task after task, save."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.distributed import is_main, on_main
from fggm_lab.errors import RunError, SettingError, TrainingError
from fggm_lab.masks import Mask, moving_units
from fggm_lab.methods import Method, TaskContext
from fggm_lab.methods.base import Memory
from fggm_lab.models import unit_axes
from fggm_lab.models.token_counts import count_tokens, counted_as, uncounted
from fggm_lab.runs import Run
from fggm_lab.runs.events import MeasuredDistance
from fggm_lab.training.active_rows import ActiveRows
from fggm_lab.training.branch import SourceRun, branch_point, opened_source
from fggm_lab.training.changed_entries import few_changed
from fggm_lab.training.checkpoint_interval import CheckpointInterval
from fggm_lab.training.checkpoints import Checkpoints, saved_model
from fggm_lab.training.drift import unit_drift
from fggm_lab.training.held_out_level import HeldOutLevel
from fggm_lab.training.masked_gradients import MaskedGradients
from fggm_lab.training.measuring import measured_after
from fggm_lab.training.peak_memory import forget_peak, peak_mb
from fggm_lab.training.preflight import Prepared
from fggm_lab.training.ranks import (
    add_up,
    check_same_mask,
    check_same_weights,
    leave_counts_to_main,
)
from fggm_lab.training.recorded_scores import recorded_scores
from fggm_lab.training.resume_state import (
    TOKEN_PURPOSES,
    TrainingProgress,
    load_state,
    mask_in_force,
    restore_model,
    restore_optimizer,
    restore_random,
    saved_memory,
    weights_are_finite,
)
from fggm_lab.training.schedule import measuring_steps, recording_steps, step_count
from fggm_lab.training.task import (
    StepReport,
    make_optimizer,
    masking_for,
    train_task,
)
from fggm_lab.training.untrained_distance import UntrainedDistance
from fggm_lab.training.writer import Listener, RunWriter

Pause = Callable[[], bool]
"""Asked after every step whether to stop there, to go on another time."""


class Session:
    """One process's training of a run: model, progress, memory and mask, and what changes them."""

    def __init__(
        self,
        run: Run,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prepared: Prepared,
        method: Method,
        *,
        listener: Listener | None,
        pause: Pause | None,
        interval: CheckpointInterval,
        keep_checkpoints: bool,
    ) -> None:
        self.run, self.model, self.tokenizer = run, model, tokenizer
        self.config, self.settings = run.config, run.config.training
        used, encoded = prepared.used, prepared.encoded
        self.writer = RunWriter(run, model, tokenizer, used, listener)
        self.checkpoints = Checkpoints(run, model, tokenizer)
        self.tasks, self.general = used.tasks, used.general
        self.method, self.encoded = method, encoded
        self.training = [method.training_set(i, encoded) for i in range(len(used.tasks))]
        self.steps = self._steps()
        self.pause = pause
        self.interval, self.keep_checkpoints = interval, keep_checkpoints
        self.axes = unit_axes(model)
        self.progress = TrainingProgress()
        self.memory: Memory = {}
        self.mask: Mask | None = None
        self.paused = False
        self._saved_at = time.monotonic()
        self._distance = UntrainedDistance(model, tokenizer, run.config)
        self._level = HeldOutLevel(model, tokenizer, run.config)

    def _steps(self) -> list[int]:
        """How many steps each task takes."""
        task_epochs = [self.settings.epochs_of(name) for name in self.tasks.names]
        examples = [len(task) for task in self.encoded]
        return [
            step_count(
                len(trained), self.method.epochs(i, task_epochs, examples), self.settings.batch_size
            )
            for i, trained in enumerate(self.training)
        ]

    # Measurements

    def measure(self, task: int, final: bool) -> None:
        """Evaluate, on whole splits if `final`, else on a sample of the tasks seen so far."""
        with self._timed("evaluate"):
            measured = measured_after(
                task,
                self.model,
                self.tokenizer,
                self.tasks,
                self.general,
                self.config,
                final=final,
            )
        self.writer.evaluation(task, measured, final, self.progress)

    @contextmanager
    def _timed(self, purpose: str) -> Iterator[None]:
        """Add the seconds spent inside to the task's, and the tokens if learning takes them."""
        start = time.perf_counter()
        with counted_as(purpose) if purpose in TOKEN_PURPOSES else uncounted():
            yield
        self.progress.seconds[purpose] += time.perf_counter() - start

    # The sequence

    def train(self, branch: tuple[SourceRun, int] | None) -> None:
        if on_main(lambda: self.run.finished):
            return
        counting = count_tokens(self.model, lambda: self.progress.tokens)
        try:
            self._sequence(branch)
        finally:
            counting.remove()

    def _sequence(self, branch: tuple[SourceRun, int] | None) -> None:
        saved: dict[str, Tensor] | None = None
        if on_main(self.run.resume_file.exists):
            saved = self._resume()
        elif on_main(partial(self._trained_beyond, -1 if branch is None else branch[1])):
            raise RunError(
                f"{self.run.resume_file} is gone, and without it the steps that were trained "
                "cannot be gone on from; restore it, branch from a finished task with "
                "branch=(run, task) (--from and --task), or choose another folder"
            )
        elif branch is not None:
            self._branch(opened_source(branch[0]), branch[1])
        else:
            self._begin()
        while self.progress.task < len(self.tasks):
            if not self._task(saved):
                return
            saved = None
        self.writer.end()

    def _trained_beyond(self, task: int) -> bool:
        """Whether steps of later tasks are logged; others may be of the run it branched from."""
        return any(event["task"] > task for event in self.run.events("step"))

    def _announce(self) -> None:
        self.writer.take_back_events(0)
        self.writer.start(self.steps)

    def _begin(self) -> None:
        self._announce()
        self.checkpoints.save(-1)
        self.measure(-1, final=True)
        self.writer.save_scores()
        self._save_state(None)

    def _branch(self, source: Run, task: int) -> None:
        """Take over another run's model and history up to and including `task`."""
        folder = branch_point(source, task, self.config)
        if self.settings.distance_samples:
            self.checkpoints.save(-1)
        self.model.load_state_dict(saved_model(folder, self.model).state_dict())
        self._announce()
        for event in source.events():
            if event["kind"] == "start" or event["kind"] == "end":
                continue
            if event.get("task", task + 1) <= task:
                self.writer.write_event(event)
                if event["kind"] == "step" or event["kind"] == "evaluation":
                    self.progress.step = max(self.progress.step, event["step"])
        self.writer.take_over(source, task)
        self.memory |= source.memory(task)
        self.checkpoints.save(task)
        self.progress = TrainingProgress(task=task + 1, step=self.progress.step)
        self.writer.save_scores()
        self._save_state(None)

    def _resume(self) -> dict[str, Tensor] | None:
        """Continue from the saved state; events written after it are taken back.

        Returns:
            The saved tensors if a task was under way.
        """
        self.progress, tensors = load_state(self.run.resume_file)
        leave_counts_to_main(self.progress)
        self.writer.take_back_events(self.progress.offset)
        self.memory |= saved_memory(tensors)
        if self.progress.task_step == 0:
            restore_model(self.model, tensors)
        self.writer.save_scores()
        self.writer.replay_events()
        self.writer.resume(self.progress)
        self._check_models(at_start=self.progress.task_step == 0)
        return tensors if self.progress.task_step > 0 else None

    def _check_models(self, at_start: bool) -> None:
        """See whether the saved models are there that the rest of the run looks at.

        Between two tasks the model saved last is the one that the state holds: it is written anew.
        What else is missing is said now, and not after hours; training goes on without.
        """
        last = self.progress.task - 1
        needed = {last, -1} if self.settings.distance_samples else {last}
        for task in sorted(needed):
            reason = self.checkpoints.damage(task)
            if reason is None or self.progress.task == len(self.tasks):
                continue
            if task == last and at_start:
                self.checkpoints.save(task)
                continue
            lost = "how far units move in the next task" if task == last else "the distance"
            warnings.warn(
                f"the model in {self.checkpoints.folder(task)} cannot be read ({reason}), so "
                f"{lost} will not be recorded",
                stacklevel=2,
            )

    # One task

    def _task(self, saved: dict[str, Tensor] | None) -> bool:
        """Train one task, or what is left of it; returns whether it was finished, not paused."""
        index = self.progress.task
        context = self._context(index)
        try:
            with self.method.adapted(context):
                moving = self._train(context, saved)
            if moving is None:
                return False
            if not weights_are_finite(self.model):
                raise TrainingError(f"a weight is not a number after task {context.name}")
            self.measure(index, final=True)
        except TrainingError as error:
            raise TrainingError(
                f"{error}; lower the learning rate (now {self.settings.lr:g}) and train into "
                f"another folder; the last good state is kept in {self.run.path}"
            ) from error
        self._finish_task(context, moving)
        return True

    def _train(
        self, context: TaskContext, saved: dict[str, Tensor] | None
    ) -> tuple[int, int] | None:
        """Take the task's steps; returns how many units moved, of how many, or None if paused."""
        index = context.index
        forget_peak(self.model.device)
        if saved is None:
            torch.manual_seed(context.seed_for("data order"))
            self._put_in_force(self._plan(context), context)
        else:
            restore_model(self.model, saved)
            self.mask = mask_in_force(self.run, self.progress)
        moving = moving_units(self.model, self.mask)
        if moving[0] == 0:
            raise SettingError(
                f"{self.method.name} freezes every unit in task {context.name}, so there is "
                "nothing to train; let more units move, or leave the task out"
            )
        self.model.zero_grad()  # of whatever came before: the caller's, or the method's plan
        with masking_for(self.model, self.mask, self.method) as masking:
            optimizer = masking.attach(make_optimizer(self.model, self.settings))
            if saved is not None:
                restore_optimizer(optimizer, saved)
                restore_random(saved, self.model.device)
            # A task that was paused where its level was reached has no step left.
            steps = self.progress.task_step if self.progress.reached else self.steps[index]
            with counted_as("train"):
                train_task(
                    context,
                    self.method,
                    masking,
                    optimizer,
                    self.settings,
                    self.training[index],
                    steps,
                    self.progress.task_step,
                    lambda report: self._after_step(report, context, masking, optimizer),
                )
        if self.paused:
            return None
        check_same_weights(self.model, context.name)
        with self._timed("remember"):
            self.method.after_task(context)
        self._note_peak()
        return moving_units(self.model, self.mask)

    def _after_step(
        self,
        report: StepReport,
        context: TaskContext,
        masking: ActiveRows | MaskedGradients,
        optimizer: Optimizer,
    ) -> bool:
        """Tell, measure, record and save what is due after a step; returns whether to go on."""
        index = self.progress.task
        if report.mask is not None:
            self._put_in_force(report.mask, context, report.task_step)
        self.progress.seconds["train"] += report.seconds
        self.progress.task_step = report.task_step
        self.progress.step += 1
        self._note_peak()
        self.writer.step(report, self.progress)
        if report.task_step in measuring_steps(self.steps[index], self.settings.points_per_task):
            self.measure(index, final=False)
        if self._level.is_due(self.tasks[index], report.task_step, self.steps[index]):
            with self._timed("evaluate"):
                self._level.look(self.tasks[index], self.progress)
        recording = recording_steps(self.steps[index], self.settings.fisher_points)
        if report.task_step in recording or (recording and self.progress.reached):
            self._record(context, report.task_step, masking)
        self.paused = self.pause is not None and on_main(self.pause)
        if self.paused or self._checkpoint_is_due(report.task_step):
            self._save_state(optimizer)
        forget_peak(self.model.device)  # what was measured and saved is no part of learning
        return not (self.paused or self.progress.reached)

    def _note_peak(self) -> None:
        peak = peak_mb(self.model.device)
        self.progress.peak_memory_mb = max(self.progress.peak_memory_mb, peak)

    def _context(self, index: int) -> TaskContext:
        task = self.tasks[index]
        return TaskContext(
            self.model,
            self.tokenizer,
            task.train,
            self.encoded[index],
            task.name,
            index,
            self.settings.seed,
            self.config.max_length,
            self.memory,
            lambda: self._model_before(index),
        )

    def _plan(self, context: TaskContext) -> Mask | None:
        with self._timed("score"):
            plan = self.method.plan(context)
        if plan.scores is not None:
            self.writer.save_fisher(plan.scores, context.index)
        elif self.settings.fisher_points is not None:
            self._record(context)
        return plan.mask

    def _put_in_force(self, mask: Mask | None, context: TaskContext, step: int = 0) -> None:
        """Train under this mask from after `step` of the task's steps; None: every unit moves."""
        if mask is not None:
            check_same_mask(mask, context.name)
            self.writer.save_mask(mask, context.index, step)
        self.mask, self.progress.mask_step = mask, step
        self.progress.mask = "" if mask is None else mask.digest()

    def _record(
        self,
        context: TaskContext,
        step: int = 0,
        masking: ActiveRows | MaskedGradients | None = None,
    ) -> None:
        """Keep the Fisher scores of the model as it is after `step` steps of the task."""
        with self._timed("record"):
            scores = recorded_scores(context, self.settings.fisher_examples, masking)
            self.writer.save_fisher(scores, context.index, step)

    def _model_before(self, index: int) -> PreTrainedModel:
        """A copy, on the CPU, of the model as it was when task `index` began."""
        before = self.checkpoints.load(index - 1)
        count_tokens(before, lambda: self.progress.tokens)  # a teacher's passes are a cost, too
        return before

    def _finish_task(self, context: TaskContext, moving: tuple[int, int]) -> None:
        index = context.index
        changed = self._record_drift(index) if is_main() else None
        distance = None
        if self.settings.distance_samples:
            distance = on_main(lambda: self._measure_distance(index))
        add_up(self.progress)
        until = self._level.ended(self.tasks[index], self.progress, self.steps[index])
        self.writer.task(context, moving, self.progress, distance, until, changed)
        if self.memory:
            self.writer.save_tensors("memory", index, self.memory)
        self.checkpoints.save(index)
        self.writer.save_scores()
        self.progress = TrainingProgress(task=index + 1, step=self.progress.step)
        self._save_state(None)
        if not self.keep_checkpoints and index > 0:
            self.checkpoints.remove(index - 1)

    def _record_drift(self, index: int) -> float | None:
        """Keep how far each unit moved in a task; returns what `few_changed` says of it."""
        try:
            before = dict(self._model_before(index).named_parameters())
        except RunError as problem:
            warnings.warn(f"how far units moved is not recorded: {problem}", stacklevel=2)
            return None
        self.writer.save_tensors("drift", index, unit_drift(before, self.model, self.axes))
        changed_masks = self.progress.mask_step > 0
        return None if changed_masks else few_changed(before, self.model, self.mask)

    def _measure_distance(self, index: int) -> MeasuredDistance | None:
        """How far the model is from the untrained one, now that a task is learned."""
        with self._timed("record"):
            return self._distance.measure(lambda: self._model_before(0), self.tasks[index])

    def _checkpoint_is_due(self, task_step: int) -> bool:
        elapsed = time.monotonic() - self._saved_at
        return on_main(lambda: self.interval.is_due(task_step, elapsed))

    def _save_state(self, optimizer: Optimizer | None) -> None:
        add_up(self.progress)
        self.writer.save_state(optimizer, self.memory, self.progress)
        self._saved_at = time.monotonic()
