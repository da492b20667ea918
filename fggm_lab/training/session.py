"""One process's work on one run: begin, branch or resume, train task after task, save."""

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import RunError, TrainingError
from fggm_lab.files import write_whole
from fggm_lab.fisher import unit_axes
from fggm_lab.fisher.units import unit_count
from fggm_lab.masks import Mask
from fggm_lab.methods import Method, TaskContext
from fggm_lab.models.encoding import Encoded
from fggm_lab.runs import Run, ScoreMatrix
from fggm_lab.tasks import General, TaskSequence
from fggm_lab.training.checkpoints import save_model, saved_model
from fggm_lab.training.drift import unit_drift
from fggm_lab.training.evaluate import evaluate
from fggm_lab.training.schedule import measuring_steps, step_count, task_seed
from fggm_lab.training.state import (
    Progress,
    load_state,
    restore_model,
    restore_optimizer,
    restore_random,
    save_state,
    weights_are_finite,
)
from fggm_lab.training.task import (
    StepReport,
    make_optimizer,
    masked,
    memory_in_use_mb,
    train_task,
)

Listener = Callable[[dict[str, Any]], None]
"""Hears every event as it is written to the log."""

START = "00-start"
"""The checkpoint of the model before any task."""


class Session:
    """What must be at hand between a step and a checkpoint."""

    def __init__(
        self,
        run: Run,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        tasks: TaskSequence,
        encoded: list[list[Encoded]],
        method: Method,
        general: General | None,
        listener: Listener | None,
        checkpoint_every: int,
        keep_checkpoints: bool,
    ) -> None:
        self.run, self.model, self.tokenizer = run, model, tokenizer
        self.tasks, self.method, self.general = tasks, method, general
        self.encoded = encoded
        self.listener = listener
        self.checkpoint_every, self.keep_checkpoints = checkpoint_every, keep_checkpoints
        self.config = run.config
        self.axes = unit_axes(model)
        self.progress = Progress()

    # The events

    def tell(self, event: dict[str, Any]) -> None:
        self.run.append(event)
        if self.listener is not None:
            self.listener(event)

    def measure(self, task: int, final: bool) -> None:
        """Evaluate, on whole splits if `final`, else on a sample of the tasks seen so far."""
        start = time.perf_counter()
        result = evaluate(
            self.model,
            self.tokenizer,
            list(self.tasks) if final else list(self.tasks)[: task + 1],
            self.general,
            split=self.config.split,
            max_length=self.config.max_length,
            sample=None if final else self.config.probe,
        )
        self.progress.seconds["evaluate"] += time.perf_counter() - start
        self.tell(
            {
                "kind": "evaluation",
                "task": task,
                "task_step": self.progress.task_step,
                "step": self.progress.step,
                "final": final,
                **result,
            }
        )

    # The whole

    def go(self, branch: tuple[Run, int] | None) -> None:
        if self.run.finished:
            return
        saved: dict[str, Tensor] | None = None
        if self.run.resume_file.exists():
            saved = self._take_up()
        elif branch is not None:
            self._begin_from(*branch)
        else:
            self._begin()
        while self.progress.task < len(self.tasks):
            self._task(saved)
            saved = None
        total = sum(sum(e["seconds"].values()) for e in self.run.events("task"))
        self.tell({"kind": "end", "time": _now(), "seconds": total})

    def _steps(self, index: int) -> int:
        return step_count(len(self.tasks[index].train), self.config.epochs, self.config.batch_size)

    def _announce(self) -> None:
        self.tell(
            {
                "kind": "start",
                "time": _now(),
                "names": self.tasks.names,
                "steps": [self._steps(i) for i in range(len(self.tasks))],
            }
        )

    def _begin(self) -> None:
        self.run.truncate_events(0)
        self._announce()
        self._save_model(self.run.path / "checkpoints" / START)
        self.measure(-1, final=True)
        self._save_scores()
        self._save_state(None)

    def _begin_from(self, source: Run, task: int) -> None:
        """Take over another run's model and history up to and including `task`."""
        if source.config.task_names[: task + 1] != self.tasks.names[: task + 1]:
            raise RunError(
                f"{source.path} learned {', '.join(source.config.task_names)}; a branch must "
                f"learn the same first {task + 1} tasks"
            )
        if source.config.task_fingerprint != self.config.task_fingerprint:
            raise RunError(
                f"{source.path} was trained on other examples than {self.tasks.source} now holds; "
                "branch with the same task folder and limit"
            )
        folder = source.checkpoint(task) if 0 <= task < len(source.config.task_names) else None
        if folder is None:
            raise RunError(
                f"{source.path} has no checkpoint after task {task + 1}; choose a finished task, "
                "or repeat that run keeping its checkpoints"
            )
        self.model.load_state_dict(saved_model(folder, self.model).state_dict())
        self.run.truncate_events(0)
        self._announce()
        for event in source.events():
            if event.get("task", task + 1) <= task and event["kind"] != "start":
                self.tell(event)
                self.progress.step = max(self.progress.step, event.get("step", 0))
        for kind in ("fisher", "masks", "drift"):
            for index in range(task + 1):
                for file in (source.path / kind).glob(f"{source.task_key(index)}.*"):
                    write_whole(self.run.path / kind / file.name, partial(shutil.copyfile, file))
        self._save_model(self.run.file("checkpoints", task))
        self.progress = Progress(task=task + 1, step=self.progress.step)
        self._save_scores()
        self._save_state(None)

    def _take_up(self) -> dict[str, Tensor] | None:
        """Continue from the saved state; events written after it are taken back.

        Returns:
            The saved tensors if a task was under way.
        """
        self.progress, tensors = load_state(self.run.resume_file)
        self.run.truncate_events(self.progress.offset)
        restore_model(self.model, tensors)
        self._save_scores()
        if self.listener is not None:
            for event in self.run.events():
                self.listener(event)
        return tensors if self.progress.task_step > 0 else None

    # One task

    def _task(self, saved: dict[str, Tensor] | None) -> None:
        index = self.progress.task
        context = self._context(index)
        if saved is None:
            torch.manual_seed(task_seed(self.config.seed, index))
            start = time.perf_counter()
            mask = self._plan(context)
            self.progress.seconds["score"] += time.perf_counter() - start
        else:
            mask = self.run.mask(index)
        try:
            with masked(self.model, mask, self.method) as path:
                optimizer = path.attach(make_optimizer(self.model, self.config))
                if saved is not None:
                    restore_optimizer(optimizer, saved)
                    restore_random(saved)
                train_task(
                    context,
                    self.method,
                    path,
                    optimizer,
                    self.config,
                    self.progress.task_step,
                    lambda report: self._after_step(report, optimizer),
                )
            if not weights_are_finite(self.model):
                raise TrainingError(f"a weight is not a number after task {context.name}")
            self.measure(index, final=True)
        except TrainingError as error:
            raise TrainingError(
                f"{error}; lower the learning rate (now {self.config.lr:g}) and train into another "
                f"folder; the last good state is kept in {self.run.path}"
            ) from error
        self._finish_task(context, mask)

    def _after_step(self, report: StepReport, optimizer: Optimizer) -> None:
        index = self.progress.task
        self.progress.seconds["train"] += report.seconds
        self.progress.task_step = report.task_step
        self.progress.step += 1
        self.progress.peak_memory_mb = max(
            self.progress.peak_memory_mb, memory_in_use_mb(self.model.device)
        )
        self.tell(
            {
                "kind": "step",
                "task": index,
                "task_step": report.task_step,
                "step": self.progress.step,
                "loss": report.loss,
                "lr": report.lr,
                "norm": report.norm,
            }
        )
        if report.task_step in measuring_steps(self._steps(index), self.config.points_per_task):
            self.measure(index, final=False)
        if report.task_step % self.checkpoint_every == 0:
            self._save_state(optimizer)

    def _context(self, index: int) -> TaskContext:
        task = self.tasks[index]
        return TaskContext(
            self.model,
            self.tokenizer,
            task.train,
            self.encoded[index],
            task.name,
            index,
            self.config.seed,
            self.config.max_length,
        )

    def _plan(self, context: TaskContext) -> Mask | None:
        plan = self.method.plan(context)
        if plan.scores is not None:
            plan.scores.save(self.run.file("fisher", context.index))
        if plan.mask is not None:
            plan.mask.save(self.run.file("masks", context.index))
        return plan.mask

    def _finish_task(self, context: TaskContext, mask: Mask | None) -> None:
        index = context.index
        before = saved_model(self._before(index), self.model)
        drift = unit_drift(dict(before.named_parameters()), self.model, self.axes)
        write_whole(self.run.file("drift", index), lambda path: save_file(drift, path))
        units = {
            name: unit_count(tuple(p.shape), self.axes[name])
            for name, p in self.model.named_parameters()
        }
        moved = sum(
            n if mask is None or name not in mask.units else int(mask.units[name].sum())
            for name, n in units.items()
        )
        self.tell(
            {
                "kind": "task",
                "task": index,
                "name": context.name,
                "seconds": self.progress.seconds,
                "peak_memory_mb": round(self.progress.peak_memory_mb, 1),
                "kept": moved,
                "units": sum(units.values()),
                "truncated": sum(item.truncated for item in context.encoded),
            }
        )
        self._save_model(self.run.file("checkpoints", index))
        self._save_scores()
        self.progress = Progress(task=index + 1, step=self.progress.step)
        self._save_state(None)
        if not self.keep_checkpoints and index > 0:
            self.run.remove_checkpoint(index - 1)

    # Files

    def _before(self, index: int) -> Path:
        """The checkpoint of the model as it was when task `index` began."""
        start = self.run.path / "checkpoints" / START
        return start if index == 0 else self.run.file("checkpoints", index - 1)

    def _save_model(self, place: Path) -> None:
        save_model(place, self.model, self.tokenizer)

    def _save_scores(self) -> None:
        self.run.save_scores(
            ScoreMatrix.from_events(
                self.tasks.names,
                self.run.events("evaluation"),
                None if self.general is None else self.general.name,
                "higher" if self.general is None else self.general.better,
            )
        )

    def _save_state(self, optimizer: Optimizer | None) -> None:
        if not weights_are_finite(self.model):
            return
        self.progress.offset = self.run.event_offset()
        save_state(self.run.resume_file, self.model, optimizer, self.progress)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
