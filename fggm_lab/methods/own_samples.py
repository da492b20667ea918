"""Protecting what a model knows without old data: the Fisher of its own samples.

A second Fisher, on text that the model draws itself before each task, says which units carry what
it can do by now. `Protect` moves the units that carry least of it; `Contrast` those that the new
task wants most beside it. Samples of a model as a stand-in for data it no longer has are
pseudo-rehearsal (Robins 1995, Connection Science 7; LAMOL, arXiv 1909.03329, for language models);
here they are never trained on.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count, check_optional_count
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods.base import Plan, TaskContext
from fggm_lab.methods.fggm import lowest_first
from fggm_lab.methods.masking import TaskMasking, masked_names
from fggm_lab.models.sampling import own_samples

_LEAST = 1e-30
"""Added to a self-Fisher, so that a unit without any does not divide by zero."""


def self_fisher(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    samples: int,
    *,
    length: int = 64,
    seed: int = 0,
    task: str | None = None,
) -> FisherScores:
    """The Fisher of texts that the model draws itself, each with the log-likelihood of all of it.

    Args:
        samples, length: how many are drawn, and the most tokens of one.
        seed: draws them.
        task: what the scores say they are of.

    Raises:
        SettingError, ModelError: as `own_samples`.
    """
    drawn = own_samples(model, tokenizer, samples, length=length, seed=seed)
    return fisher_scores(model, tokenizer, drawn, max_length=length + 1, task=task)


def contrast(new: FisherScores, own: FisherScores) -> FisherScores:
    """A task's score of every unit divided by its score on the model's own samples.

    Args:
        new: a task's scores, of the units of `own` at least.
        own: `self_fisher` of the same model.
    """
    ratio = {
        name: new.units[name].double() / (units.double() + _LEAST)
        for name, units in own.units.items()
    }
    return replace(new.restricted(own.names), units=ratio, standard_errors=None)


@dataclass(frozen=True)
class Protect(TaskMasking):
    """Let the units with the lowest Fisher on the model's own samples move.

    Attributes:
        keep, scope, parameters, others, first_task: as in `TaskMasking`.
        samples, length: how many texts are drawn before each task, and their most tokens.
    """

    name: ClassVar[str] = "protect"
    paper: ClassVar[str] = "this lab"

    samples: int = 192
    length: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("samples", self.samples)
        check_count("length", self.length)

    def cut(self, context: TaskContext) -> Plan:
        """Draw, score and cut; no data is looked at."""
        scores = self.self_fisher(context)
        return Plan(Mask.top(lowest_first(scores), self.keep, self.scope), scores)

    def self_fisher(self, context: TaskContext) -> FisherScores:
        """`self_fisher` of the model as the task finds it, of the parameters masked."""
        scores = self_fisher(
            context.model,
            context.tokenizer,
            self.samples,
            length=min(self.length, context.max_length - 1),
            seed=context.seed_for("own samples"),
            task=f"own samples before {context.name}",
        )
        return scores.restricted(masked_names(context.model, self.parameters))


@dataclass(frozen=True)
class Contrast(Protect):
    """Let the units with the highest ratio of the new task's Fisher to that of own samples move.

    Attributes:
        keep, scope, parameters, others, first_task, samples, length: as in `Protect`.
        max_examples: score the task on so many training examples (None: all).
    """

    name: ClassVar[str] = "contrast"

    max_examples: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_optional_count("max_examples", self.max_examples)

    def cut(self, context: TaskContext) -> Plan:
        """Score the task and the samples, and cut by the ratio."""
        own = self.self_fisher(context)
        new = context.fisher(self.max_examples)
        return Plan(Mask.top(contrast(new, own), self.keep, self.scope), new)
