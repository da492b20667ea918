"""What training writes into a run: the events of its log, and the files of its tasks.

In a data-parallel run rank 0 alone writes.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, cast

from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.distributed import is_main
from fggm_lab.evaluation import Evaluation
from fggm_lab.files import write_tensors
from fggm_lab.fisher import FisherScores
from fggm_lab.masks import Mask
from fggm_lab.methods import TaskContext
from fggm_lab.methods.base import Memory
from fggm_lab.runs import Run, ScoreMatrix
from fggm_lab.runs.config import versions
from fggm_lab.runs.events import (
    EndEvent,
    EvaluationEvent,
    Event,
    MeasuredDistance,
    PassedTokens,
    ReachedLevel,
    ResumeEvent,
    StartEvent,
    StepEvent,
    TaskEvent,
)
from fggm_lab.training.branch import copy_records
from fggm_lab.training.hardware import surroundings
from fggm_lab.training.resume_state import (
    TrainingProgress,
    save_state,
    weights_are_finite,
)
from fggm_lab.training.task import StepReport
from fggm_lab.training.used_data import UsedData

Listener = Callable[[Event], None]
"""Hears every event as it is written to the log."""


Arguments = ParamSpec("Arguments")


def _by_main(
    write: Callable[Concatenate["RunWriter", Arguments], None],
) -> Callable[Concatenate["RunWriter", Arguments], None]:
    """A method that does nothing on the ranks that do not write."""

    @wraps(write)
    def write_on_main(
        self: "RunWriter", *arguments: Arguments.args, **named: Arguments.kwargs
    ) -> None:
        if is_main():
            write(self, *arguments, **named)

    return write_on_main


class RunWriter:
    """Writes into one run; a task of −1 stands for the time before any."""

    def __init__(
        self,
        run: Run,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        used: UsedData,
        listener: Listener | None,
    ) -> None:
        self.run, self.model, self.tokenizer = run, model, tokenizer
        self.used, self.listener = used, listener

    # Events

    @_by_main
    def write_event(self, event: Event) -> None:
        """Write an event to the log, and let the listener hear it."""
        self.run.append(event)
        if self.listener is not None:
            self.listener(event)

    @_by_main
    def replay_events(self) -> None:
        """Let the listener hear what is in the log already."""
        if self.listener is not None:
            for event in self.run.events():
                self.listener(event)

    @_by_main
    def take_back_events(self, offset: int) -> None:
        """Forget the events after the first `offset` bytes of the log."""
        self.run.truncate_events(offset)

    @_by_main
    def take_over(self, source: Run, task: int) -> None:
        """Copy what another run kept of its tasks up to and including `task`."""
        copy_records(source, self.run, task)

    def start(self, steps: Sequence[int]) -> None:
        """A run begins whose tasks take so many steps each."""
        self.write_event(
            StartEvent(
                kind="start",
                time=_now(),
                names=self.used.tasks.names,
                steps=list(steps),
                skipped=self.used.skipped,
                general_skipped=self.used.general_skipped,
            )
        )

    def resume(self, progress: TrainingProgress) -> None:
        """A run goes on from a saved state; what it is made of may have other names now."""
        if is_main():
            self.run.save_config()
            self.run.remove_later("masks", progress.task, progress.task_step)
            self.run.remove_later("fisher", progress.task, progress.task_step)
        changed = self._changed_since_start()
        if changed:
            lines = [f"{name} {before}, now {now}" for name, (before, now) in changed.items()]
            warnings.warn(
                f"{self.run.path} was begun with {'; '.join(lines)}: the numbers need not be those "
                "of an uninterrupted run",
                stacklevel=2,
            )
        self.write_event(
            ResumeEvent(
                kind="resume",
                time=_now(),
                task=progress.task,
                task_step=progress.task_step,
                step=progress.step,
                changed=changed,
            )
        )

    def _changed_since_start(self) -> dict[str, list[str]]:
        """Package, `processor`, `threads`, `attention` → what it was at the beginning, and is."""
        config, around = self.run.config, surroundings(self.model)
        before = {**config.versions, **{name: getattr(config, name) for name in around}}
        return {
            name: [str(before[name]), str(value)]
            for name, value in {**versions(), **around}.items()
            if before.get(name) not in (None, value)
        }

    def step(self, report: StepReport, progress: TrainingProgress) -> None:
        """A step was taken."""
        self.write_event(
            StepEvent(
                kind="step",
                task=progress.task,
                task_step=report.task_step,
                step=progress.step,
                loss=report.loss,
                lr=report.lr,
                norm=report.norm,
            )
        )

    @_by_main
    def evaluation(
        self, task: int, measured: Evaluation, final: bool, progress: TrainingProgress
    ) -> None:
        """The model was scored, after a task on whole splits (`final`), or within it on a probe."""
        if final:
            self.run.save_predictions(None if task < 0 else task, measured.predictions)
        scores = measured.to_json()
        # What does not fit was left out before, and was no part of what was measured here.
        for name, score in scores["tasks"].items():
            score["skipped"] = self.used.skipped.get(name, {}).get(measured.split, 0)
        if scores["general"] is not None:
            scores["general"]["skipped"] = sum(self.used.general_skipped.values())
        self.write_event(
            EvaluationEvent(
                kind="evaluation",
                task=task,
                task_step=progress.task_step,
                step=progress.step,
                final=final,
                tasks=scores["tasks"],
                general=scores["general"],
            )
        )

    def task(
        self,
        context: TaskContext,
        moving: tuple[int, int],
        progress: TrainingProgress,
        distance: MeasuredDistance | None,
        until: ReachedLevel | None,
        changed: float | None = None,
    ) -> None:
        """A task was learned while so many units, of how many, could move."""
        event = TaskEvent(
            kind="task",
            task=context.index,
            name=context.name,
            seconds=progress.seconds,
            tokens=cast(Mapping[str, PassedTokens], progress.tokens),
            peak_memory_mb=round(progress.peak_memory_mb, 1),
            kept=moving[0],
            units=moving[1],
            stored_bytes=sum(tensor.nbytes for tensor in context.memory.values()),
            truncated=sum(item.truncated for item in context.encoded),
        )
        if progress.mask:
            event["mask"] = progress.mask
        if until is not None:
            event["until"] = until
        if distance is not None:
            event["distance"] = distance
        if changed is not None:
            event["changed"] = changed
        self.write_event(event)

    @_by_main
    def end(self) -> None:
        """All tasks were learned."""
        total = sum(sum(event["seconds"].values()) for event in self.run.events("task"))
        self.write_event(EndEvent(kind="end", time=_now(), seconds=total))

    # Files

    @_by_main
    def save_mask(self, mask: Mask, task: int, step: int = 0) -> None:
        """Keep the mask that a task is trained under from after `step` of its steps."""
        mask.save(self.run.file("masks", task, step))

    @_by_main
    def save_fisher(self, scores: FisherScores, task: int, step: int = 0) -> None:
        """Keep the Fisher scores of the model after `step` steps of a task."""
        scores.save(self.run.file("fisher", task, step))

    @_by_main
    def save_tensors(
        self, kind: Literal["drift", "memory"], task: int, tensors: dict[str, Tensor]
    ) -> None:
        """Keep tensors of a task."""
        write_tensors(self.run.file(kind, task), tensors)

    @_by_main
    def save_scores(self) -> None:
        """Put the score matrix together from the evaluations so far."""
        general = self.used.general
        self.run.save_scores(
            ScoreMatrix.from_events(
                self.used.tasks.names,
                self.run.events("evaluation"),
                None if general is None else general.name,
                "higher" if general is None else general.better,
            )
        )

    @_by_main
    def save_state(
        self, optimizer: Optimizer | None, memory: Memory, progress: TrainingProgress
    ) -> None:
        """Keep what a resumed run goes on from, unless a weight is not a number."""
        if not weights_are_finite(self.model):
            return
        progress.offset = self.run.event_offset()
        save_state(self.run.resume_file, self.model, optimizer, progress, memory)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
