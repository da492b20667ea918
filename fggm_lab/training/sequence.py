"""The main job: train a model through a task sequence, measuring and saving as it goes."""

import copy
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

from fggm_lab.errors import DataError, RunError, SettingError, TrainingError
from fggm_lab.files import write_whole
from fggm_lab.fisher import unit_axes
from fggm_lab.fisher.units import unit_count
from fggm_lab.heap import keep_freed_memory
from fggm_lab.masks import Mask
from fggm_lab.methods import Method, TaskContext
from fggm_lab.models import context_length
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.models.fingerprint import fingerprint
from fggm_lab.runs import Run, RunConfig, ScoreMatrix
from fggm_lab.tasks import General, Task, TaskSequence, task_fingerprint
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

LONGEST = 1024
"""The most tokens per example unless `max_length` says otherwise or the context is shorter."""


def run_sequence(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    method: Method,
    out: str | Path,
    *,
    general: General | None = None,
    seed: int = 0,
    epochs: float = 5,
    batch_size: int = 32,
    lr: float = 5e-4,
    schedule: str = "linear",
    weight_decay: float = 0.0,
    clip: float | None = 1.0,
    optimizer: str = "adamw",
    micro_batch: int | None = None,
    autocast: bool = False,
    recompute: bool = False,
    max_length: int | None = None,
    limit: int | None = None,
    split: str = "test",
    points_per_task: int = 12,
    probe: int = 8,
    model_name: str | None = None,
    resume: bool = False,
    branch: tuple[Run, int] | None = None,
    checkpoint_every: int = 50,
    keep_checkpoints: bool = True,
    in_place: bool = False,
    listener: Listener | None = None,
) -> Run:
    """Train through `tasks` in order under `method`, and write a run folder.

    Args:
        out: the run folder; must not hold a run yet, unless `resume`.
        general: what General is measured on (None: not measured).
        seed: orders the data and draws whatever the method draws.
        epochs, batch_size, lr, schedule, weight_decay, clip, optimizer: the training of each
            task; `clip` is the largest gradient norm, taken after masking. The optimiser starts
            fresh with each task.
        micro_batch, autocast, recompute: for large models: the most examples in one forward pass,
            matrix products in bfloat16, activations computed anew in backward.
        max_length: tokens per example; longer prompts are cut from the left.
        limit: use at most so many examples of each split.
        split: the split that is scored, `test` or, to choose settings, `eval`.
        points_per_task, probe: how often to measure inside a task, and on how many examples of
            each task seen so far.
        resume: go on with the run in `out` if there is one; on the CPU the result equals that of
            an uninterrupted run, bit for bit.
        branch: another run and the 0-based task after which to take up its model and history.
        checkpoint_every: steps between saved states.
        keep_checkpoints: keep the model after every task, not only after the last.
        in_place: train `model` itself; by default a copy is trained and `model` stays as it is.
        listener: called with every event.

    Raises:
        SettingError, DataError, ModelError: the input cannot be used.
        RunError: `out` holds another run, is in use by another process, or is damaged.
        TrainingError: the loss is not a number any more; the last good state is kept.
    """
    tasks = tasks.limited(limit)
    for task in tasks:
        if not task.split(split):
            raise DataError(f"task {task.name} has no {split} split; add {split}.json")
    if recompute and not model.supports_gradient_checkpointing:
        raise SettingError(
            f"{type(model).__name__} cannot compute activations anew; train without recompute"
        )
    longest = min(max_length or LONGEST, context_length(model))
    for task in tasks:  # an answer that does not fit is better known now than an hour later
        for name in ("train", split):
            _encode(tokenizer, task, name, longest)
    config = RunConfig(
        model=model_name or str(model.config._name_or_path or type(model).__name__),
        model_fingerprint=fingerprint(model),
        tasks=tasks.source,
        task_names=tasks.names,
        task_fingerprint=task_fingerprint(tasks),
        general=None if general is None else general.source,
        method=method.name,
        method_settings=method.settings,
        seed=seed,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        schedule=schedule,
        weight_decay=weight_decay,
        clip=clip,
        max_length=longest,
        limit=limit,
        split=split,  # type: ignore[arg-type]
        points_per_task=points_per_task,
        probe=probe,
        optimizer=optimizer,
        micro_batch=micro_batch,
        autocast=autocast,
        recompute=recompute,
        device=model.device.type,
        dtype=str(model.dtype).removeprefix("torch."),
        branch=None if branch is None else {"run": str(branch[0].path), "task": branch[1]},  # type: ignore[arg-type]
    )
    held = resume and (Path(out) / "config.json").exists()
    run = Run.resume(out, config) if held else Run.create(out, config)
    trained = model if in_place else copy.deepcopy(model)
    session = _Session(
        run,
        trained,
        tokenizer,
        tasks,
        method,
        general,
        listener,
        checkpoint_every,
        keep_checkpoints,
    )
    keep_freed_memory()
    with run.lock():
        session.go(branch)
    return run


def _encode(
    tokenizer: PreTrainedTokenizerBase, task: Task, split: str, max_length: int
) -> list[Encoded]:
    """A split's examples as token ids; an answer that does not fit is named with its task."""
    try:
        return encode(tokenizer, task.split(split), max_length)
    except DataError as error:
        raise DataError(f"task {task.name}, {split} split: {error}") from None


class _Session:
    """One process's work on one run: what must be at hand between a step and a checkpoint."""

    def __init__(
        self,
        run: Run,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        tasks: TaskSequence,
        method: Method,
        general: General | None,
        listener: Listener | None,
        checkpoint_every: int,
        keep_checkpoints: bool,
    ) -> None:
        self.run, self.model, self.tokenizer = run, model, tokenizer
        self.tasks, self.method, self.general = tasks, method, general
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
        encoded = _encode(self.tokenizer, task, "train", self.config.max_length)
        return TaskContext(
            self.model,
            self.tokenizer,
            task.train,
            encoded,
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
