"""Training a task only until its held-out loss is low enough (`until_loss`)."""

import math
import warnings

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.evaluation import held_out_loss
from fggm_lab.evaluation.held_out import held_out_examples
from fggm_lab.models.encoding import Encoded
from fggm_lab.runs import RunConfig
from fggm_lab.runs.events import ReachedLevel
from fggm_lab.tasks import Task
from fggm_lab.training.resume_state import TrainingProgress


class HeldOutLevel:
    """Looks at the held-out loss of the task in training, where the run's settings ask for it."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, config: RunConfig
    ) -> None:
        """Nothing is looked at yet.

        Args:
            model: in training.
            tokenizer: the model's.
            config: of the run.
        """
        self._model, self._tokenizer, self._config = model, tokenizer, config
        self._examples: dict[str, list[Encoded]] = {}

    def is_due(self, task: Task, step: int, steps: int) -> bool:
        """Whether to look after `step` of a task's `steps`."""
        settings = self._config.training
        every = step == steps or step % settings.until_every == 0
        return settings.level_of(task.name) is not None and every

    def look(self, task: Task, progress: TrainingProgress) -> None:
        """Measure the loss, and note whether it is as low as it has to be.

        Args:
            task: in training, with a level.
            progress: of the run; changed in place.
        """
        settings = self._config.training
        if task.name not in self._examples:
            self._examples[task.name] = held_out_examples(
                self._tokenizer, task, settings.until_examples, self._config.max_length
            )
        loss = held_out_loss(
            self._model,
            self._examples[task.name],
            pad=self._tokenizer.pad_token_id,
            autocast=settings.autocast,
        )
        is_best = progress.best_loss is None or loss < progress.best_loss
        if is_best and math.isfinite(loss):
            progress.best_loss, progress.best_step = loss, progress.task_step
        level = settings.level_of(task.name)
        progress.reached = level is not None and loss <= level

    def ended(self, task: Task, progress: TrainingProgress, at_most: int) -> ReachedLevel | None:
        """How a task's training ended; a level that was not reached is warned of.

        Args:
            task: that was trained.
            progress: at its end.
            at_most: the steps that were planned.

        Returns:
            What its event says; None of a task without a level.
        """
        level, best = self._config.training.level_of(task.name), progress.best_loss
        if level is None or best is None:
            return None
        steps = progress.task_step
        if not progress.reached:
            warnings.warn(
                f"task {task.name} did not reach the held-out loss {level:g} in {steps} steps; "
                f"the best was {best:.4g}, after step {progress.best_step}",
                stacklevel=2,
            )
        return ReachedLevel(
            level=level,
            reached=progress.reached,
            steps=steps,
            at_most=at_most,
            best=best,
            best_step=progress.best_step,
        )
