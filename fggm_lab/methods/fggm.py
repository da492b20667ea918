"""FGGM, Fisher-Guided Gradient Masking (arXiv 2601.18261): only high-Fisher units may move."""

from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods.base import Plan, TaskContext
from fggm_lab.methods.masking import TaskMasking, complete, masked_names


@dataclass(frozen=True)
class FGGM(TaskMasking):
    """Score units on the new task's own data, keep the top share, let only those move.

    Attributes:
        keep, scope, parameters, others, first_task: as in `TaskMasking`.
        estimator: how the Fisher is estimated; see `fggm_lab.fisher.ESTIMATORS`.
        max_examples: score on so many training examples, drawn by the run's seed (None: all).
    """

    name: ClassVar[str] = "fggm"
    paper: ClassVar[str] = "arXiv 2601.18261"

    estimator: str = "empirical"
    max_examples: int | None = None

    def plan(self, context: TaskContext) -> Plan:
        """Score the task's training examples and cut the mask; old data is never touched."""
        scores = fisher_scores(
            context.model,
            context.tokenizer,
            context.encoded,
            estimator=self.estimator,
            max_examples=self.max_examples,
            max_length=context.max_length,
            seed=context.seed,
            task=context.name,
        )
        if context.index == 0 and not self.first_task:
            return Plan(scores=scores)
        chosen = scores.restricted(masked_names(context.model, self.parameters))
        mask = Mask.top(chosen, self.keep, self.scope)
        return Plan(complete(mask, context.model, self.others), scores)
