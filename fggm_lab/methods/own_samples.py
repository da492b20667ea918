"""Protecting what a model knows without old data: the Fisher of its own samples.

A second Fisher, on text that the model draws itself before each task, says which units carry what
it can do by now. `Protect` moves the units that carry least of it; `Contrast` those that the new
task wants most beside it. Samples of a model as a stand-in for data it no longer has are
pseudo-rehearsal (Robins 1995, Connection Science 7; LAMOL, arXiv 1909.03329, for language models);
here they are never trained on.

What has been published near them, each for what it is. To `protect`: DAS (arXiv 2302.03241) scores
attention heads and neurons without the old data, by the gradients of the difference that dropout
makes to the model's output, and lets those that score high learn less, by degrees. To `contrast`:
SSD (arXiv 2308.07707) picks the weights whose Fisher on data to be *un*learned is a multiple of
that on all training data, and shrinks them; sparse memory fine-tuning (arXiv 2510.15103) trains the
slots of a memory layer that new text uses much and pretraining text little; CNL (arXiv 2601.21577)
freezes the neurons where the gradients of new and of mastered examples point against each other.
All four ask for real text in place of the samples: DAS any, the others of what is to be kept.
arXiv 2604.17051 is named beside them; we have not read it.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count, check_optional_count
from fggm_lab.fisher import FisherScores, fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods.base import MaskOrder, Plan, TaskContext
from fggm_lab.methods.fggm import EQUAL_SCORES, lowest_first
from fggm_lab.methods.masking import TaskMasking, masked_scores
from fggm_lab.models.build import context_length
from fggm_lab.models.sampling import own_samples

_EPSILON = 1e-30
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
        model: the model that draws and is scored.
        tokenizer: its tokenizer.
        samples: how many texts are drawn.
        length: the maximum number of tokens of a text; less if the model's context is shorter.
        seed: seeds the draws.
        task: the name that the scores are stored under.

    Returns:
        One score for each unit.
    """
    length = min(length, context_length(model) - 1)  # a beginning token may come before it
    drawn = own_samples(model, tokenizer, samples, length=length, seed=seed)
    return fisher_scores(model, tokenizer, drawn, max_length=length + 1, task=task)


def contrast(new: FisherScores, self_scores: FisherScores) -> FisherScores:
    """A task's score of every unit divided by its score on the model's own samples.

    Args:
        new: a task's scores, of the units of `self_scores` at least.
        self_scores: `self_fisher` of the same model.

    Returns:
        The ratios, as scores of the units of `self_scores`.
    """
    ratio = {
        name: new.units[name].double() / (units.double() + _EPSILON)
        for name, units in self_scores.units.items()
    }
    return replace(new.restricted(self_scores.names), units=ratio, standard_errors=None)


@dataclass(frozen=True)
class Protect(TaskMasking):
    """Let the units with the lowest Fisher on the model's own samples move.

    Where more units have the same lowest score than may move, as the tokens of an untied embedding
    that no sample has at zero, the run's seed draws among them.

    Attributes:
        keep: the share of units that may move (1 − α; the paper's α is 0.7).
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        others: whether parameters that are not masked `train` or `freeze`.
        first_task: whether the first task is masked, too; by default, for the model has something
            to lose before it.
        samples: how many texts the model draws before each task.
        length: the maximum number of tokens of a text.
    """

    name: ClassVar[str] = "protect"
    paper: ClassVar[str] = "this lab; nearest: DAS, arXiv 2302.03241"

    samples: int = 192
    length: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count("samples", self.samples)
        check_count("length", self.length)

    @property
    def mask_order(self) -> MaskOrder:
        """Units of the lowest scores move."""
        return "lowest"

    def cut(self, context: TaskContext) -> Plan:
        """Draw texts, score the units on them and keep the lowest; no data of the task is used."""
        scores = self.self_fisher(context)
        seed = context.seed_for(EQUAL_SCORES)
        mask = Mask.top(lowest_first(scores), self.keep, self.scope, seed=seed)
        return Plan(mask, scores)

    def self_fisher(self, context: TaskContext) -> FisherScores:
        """The `self_fisher` of the masked parameters, of the model before the task."""
        scores = self_fisher(
            context.model,
            context.tokenizer,
            self.samples,
            length=min(self.length, context.max_length - 1),
            seed=context.seed_for("own samples"),
            task=f"own samples before {context.name}",
        )
        return masked_scores(scores, context.model, self.parameters)


@dataclass(frozen=True)
class Contrast(Protect):
    """Let the units with the highest ratio of the new task's Fisher to that of own samples move.

    Attributes:
        keep: the share of units that may move (1 − α; the paper's α is 0.7).
        scope: whether the share is taken within each `parameter` or over the whole model
            (`global`).
        parameters: what is masked, `all` parameters or the weights of `linear` layers only.
        others: whether parameters that are not masked `train` or `freeze`.
        first_task: whether the first task is masked, too; by default, for the model has something
            to lose before it.
        samples: how many texts the model draws before each task.
        length: the maximum number of tokens of a text.
        max_examples: score the task on so many training examples (None: all).
    """

    name: ClassVar[str] = "contrast"
    paper: ClassVar[str] = "this lab; nearest: arXiv 2308.07707, 2510.15103, 2601.21577"

    max_examples: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_optional_count("max_examples", self.max_examples)

    @property
    def mask_order(self) -> MaskOrder:
        """Of the two scores that make a ratio, a run stores the task's alone."""
        return "unstored"

    def cut(self, context: TaskContext) -> Plan:
        """Score the units on the task and on the samples, and keep those with the highest ratio."""
        self_scores = self.self_fisher(context)
        new = context.fisher(self.max_examples)
        return Plan(Mask.top(contrast(new, self_scores), self.keep, self.scope), new)
