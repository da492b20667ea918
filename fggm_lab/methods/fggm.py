"""FGGM, Fisher-Guided Gradient Masking (arXiv 2601.18261): only high-Fisher units may move."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from transformers import PreTrainedModel

from fggm_lab.checks import check_choice, check_optional_count
from fggm_lab.deprecation import present_name
from fggm_lab.errors import SettingError
from fggm_lab.fisher import ESTIMATORS, FisherScores
from fggm_lab.fisher.inputs import drawn_examples
from fggm_lab.fisher.registry import check_answers, check_before_training, find_estimator
from fggm_lab.fisher.scored_parameters import Aggregation
from fggm_lab.mask_settings import check_moves
from fggm_lab.masks import Mask
from fggm_lab.methods.base import MaskOrder, Memory, Plan, TaskContext
from fggm_lab.methods.masking import TaskMasking, masked_names, masked_scores
from fggm_lab.models.encoding import Encoded
from fggm_lab.plugins import ESTIMATORS_GROUP, entry_points, is_reference

_USED = "fggm.used."

EQUAL_SCORES = "equal scores"
"""What the seed is derived for that draws among the lowest scores where they are equal."""


@dataclass(frozen=True)
class FGGM(TaskMasking):
    """Score units on the new task's own data, keep the top share, let only those move.

    The settings after `max_examples` are ablations. Single entries of the highest scores over the
    whole model, `FGGM(keep=0.001, scope="global", aggregation="none")`, are PIECE-F (arXiv
    2511.15375) as far as its abstract says: 0.1 % of the parameters, chosen by their Fisher
    information on the new task. They cost one number for each entry of the model while it is
    scored and a copy of the weights while it is trained.

    Attributes:
        keep: the share of units that may move (1 − α; the paper's α is 0.7).
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        others: whether parameters that are not masked `train` or `freeze`.
        first_task: whether the first task is masked, too; the paper does not say, and by default
            it is.
        estimator: how the Fisher is estimated: a key of `fggm_lab.fisher.ESTIMATORS`, or one of
            your own as `module:name`.
        max_examples: score on so many training examples, drawn by the run's seed (None: all).
        aggregation: what a weight's unit is: a row (`input`, the paper's), a column (`output`) or
            an entry (`none`).
        invert: let the units with the *lowest* scores move; where more of them are equal than may
            move, as unused tokens' at zero, the run's seed draws.
        protect_used: freeze what former tasks moved; the mask is then cut from the units no task
            has used yet, the same share of all units as long as there are enough.
    """

    name: ClassVar[str] = "fggm"
    paper: ClassVar[str] = "arXiv 2601.18261"
    stores: ClassVar[str] = "nothing; with protect_used, one bit per unit"

    estimator: str = "empirical"
    max_examples: int | None = None
    aggregation: Aggregation = "input"
    invert: bool = False
    protect_used: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("aggregation", self.aggregation, Aggregation)
        object.__setattr__(self, "estimator", present_name("estimator", self.estimator))
        if self.estimator not in ESTIMATORS and not is_reference(self.estimator):
            names = (*ESTIMATORS, *entry_points(ESTIMATORS_GROUP))
            check_choice("estimator", self.estimator, names)
        if self.estimator in ESTIMATORS:  # one of your own is looked up when a run begins
            check_before_training(ESTIMATORS[self.estimator])
        check_optional_count("max_examples", self.max_examples)
        if self.protect_used and not self.first_task:
            raise SettingError(
                "protect_used freezes what former tasks moved, and a first task without a mask "
                "moves all units; leave first_task as it is"
            )

    @property
    def mask_order(self) -> MaskOrder:
        """`lowest` if inverted."""
        return "lowest" if self.invert else "highest"

    def check(self, tasks: int) -> None:
        """The estimator must exist, and under `protect_used` every task must find unused units."""
        check_before_training(find_estimator(self.estimator))
        if self.protect_used and self.keep * (tasks - 1) >= 1:
            raise SettingError(
                f"protect_used: at keep {self.keep:g} all units are used up before the last of "
                f"{tasks} tasks; keep less than {1 / (tasks - 1):.3f}, or learn fewer tasks"
            )

    def check_model(self, model: PreTrainedModel) -> None:
        """`keep` must let a unit of the model move; of columns there are fewer than entries."""
        if self.aggregation == "input":
            super().check_model(model)
            return
        sizes = dict(model.named_parameters())
        names = masked_names(model, self.parameters)
        check_moves(self.keep, self.scope, {name: sizes[name].numel() for name in names})

    def check_data(self, names: Sequence[str], encoded: Sequence[list[Encoded]], seed: int) -> None:
        """The estimator must take the answers of every task's examples that it will score."""
        estimator = find_estimator(self.estimator)
        for name, examples in zip(names, encoded, strict=True):
            if examples:
                numbers = drawn_examples(len(examples), self.max_examples, None, seed)
                check_answers(estimator, [examples[i] for i in numbers], numbers, f"task {name}")

    def plan(self, context: TaskContext) -> Plan:
        """Cut the mask; a first task that is left unmasked is scored, too, for the record."""
        if self.spares(context):
            return Plan(scores=self._score(context))
        return super().plan(context)

    def cut(self, context: TaskContext) -> Plan:
        """Score the task's training examples and cut the mask; old data is never touched."""
        scores = self._score(context)
        chosen = masked_scores(scores, context.model, self.parameters)
        seed = None
        if self.invert:
            chosen, seed = lowest_first(chosen), context.seed_for(EQUAL_SCORES)
        return Plan(self._top(chosen, context.memory, seed), scores)

    def _score(self, context: TaskContext) -> FisherScores:
        return context.fisher(
            self.max_examples,
            estimator=self.estimator,
            aggregation=self.aggregation,
            elementwise=self.aggregation == "none",
        )

    def _top(self, scores: FisherScores, memory: Memory, seed: int | None) -> Mask:
        if not self.protect_used:
            return Mask.top(scores, self.keep, self.scope, seed=seed)
        used = {
            name: memory.get(_USED + name, torch.zeros(len(units), dtype=torch.bool))
            for name, units in scores.units.items()
        }
        # Used units rank last: they are chosen only if too few others are left, and then dropped.
        units = {n: s.masked_fill(used[n], -torch.inf) for n, s in scores.units.items()}
        mask = Mask.top(replace(scores, units=units), self.keep, self.scope, seed=seed)
        mask = Mask({n: bits & ~used[n] for n, bits in mask.units.items()}, mask.axes, mask.info)
        memory.update({_USED + name: used[name] | bits for name, bits in mask.units.items()})
        return mask


def lowest_first(scores: FisherScores) -> FisherScores:
    """The scores with their signs changed, so that the lowest become the highest."""
    return replace(scores, units={name: -units for name, units in scores.units.items()})
