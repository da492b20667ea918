"""FGGM, Fisher-Guided Gradient Masking (arXiv 2601.18261): only high-Fisher units may move."""

from dataclasses import dataclass
from typing import ClassVar

from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods.base import Method, Plan, TaskContext, check_choice, check_keep
from fggm_lab.methods.selection import OTHERS, PARAMETERS, complete, masked_names


@dataclass(frozen=True)
class FGGM(Method):
    """Score units on the new task's own data, keep the top share, let only those move.

    Attributes:
        keep: the share of units that may move (1 − α; the paper's α is 0.7).
        scope: the share is taken within each weight (`layer`) or over the whole model (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        others: parameters left out of the mask `train` or `freeze`.
        first_task: whether the first task is masked, too.
        estimator: how the Fisher is estimated; see `fggm_lab.fisher.ESTIMATORS`.
        max_examples: score on the first so many training examples (None: all).
    """

    name: ClassVar[str] = "fggm"
    paper: ClassVar[str] = "arXiv 2601.18261"

    keep: float = 0.3
    scope: str = "layer"
    parameters: str = "all"
    others: str = "train"
    first_task: bool = True
    estimator: str = "empirical"
    max_examples: int | None = None

    def __post_init__(self) -> None:
        check_keep(self.keep)
        check_choice("scope", self.scope, ("layer", "global"))
        check_choice("parameters", self.parameters, PARAMETERS)
        check_choice("others", self.others, OTHERS)

    def plan(self, context: TaskContext) -> Plan:
        """Score the task's training examples and cut the mask; old data is never touched."""
        scores = fisher_scores(
            context.model,
            context.tokenizer,
            context.examples,
            estimator=self.estimator,
            max_examples=self.max_examples,
            max_length=context.max_length,
            task=context.name,
        )
        if context.index == 0 and not self.first_task:
            return Plan(scores=scores)
        chosen = scores.restricted(masked_names(context.model, self.parameters))
        mask = Mask.top(chosen, self.keep, self.scope)
        return Plan(complete(mask, context.model, self.others), scores)
