"""What units do: every task's score with some of them set to zero, or held still in training."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_choice, check_count
from fggm_lab.evaluation import TaskScore, evaluate
from fggm_lab.fisher import FisherScores
from fggm_lab.masks import Mask, Scope, moving_units
from fggm_lab.masks.heads import Head, without_heads
from fggm_lab.methods import SFT, TaskContext
from fggm_lab.methods.fggm import lowest_first
from fggm_lab.models import example_length
from fggm_lab.models.encoding import encode
from fggm_lab.models.heads import head_layout, head_parts
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import General, ScoredSplit, TaskSequence
from fggm_lab.training.task import make_optimizer, masking_for, train_task

Rank = Literal["top", "bottom", "random"]
"""Which share of the units: the highest scores, the lowest, or any."""
RANKS: tuple[Rank, ...] = get_args(Rank)


@dataclass(frozen=True)
class Measured:
    """A model's scores at one moment.

    Attributes:
        tasks: task → its scores, on the first examples of its split.
        general: General; None if it is not measured.
    """

    tasks: dict[str, TaskScore]
    general: float | None


@dataclass(frozen=True)
class Effect:
    """What zeroing or freezing units did to every task's score.

    Attributes:
        action: what was done.
        before: the model as it was given.
        after: with units at zero, or after training with units frozen.
        free: after the same training with every unit free; None for zeroing.
        off: how many units were zeroed, or could not move in training.
        units: how many the model has.
        unit: what they are, `units` or `attention heads`.
        trained: the task that was trained; None for zeroing.
        steps: its optimiser steps.
        general_better: whether a higher or a lower General is better.
    """

    action: Literal["zeroing", "freezing"]
    before: Measured
    after: Measured
    free: Measured | None
    off: int
    units: int
    trained: str | None = None
    steps: int = 0
    general_better: Literal["higher", "lower"] = "higher"
    unit: Literal["units", "attention heads"] = "units"


def choose_units(
    scores: FisherScores, rank: Rank, share: float, scope: Scope = "parameter", seed: int = 0
) -> Mask:
    """Mark round(share · n) units: those with the top or the bottom scores, or random ones.

    Args:
        scores: one score per unit; `FisherScores.restricted` leaves parameters out.
        rank: `top`, `bottom` or `random`.
        share: which part of the units, above 0 and at most 1.
        scope: whether that share is taken within each `parameter`, or over all units (`global`).
        seed: of the random ones, and of what is drawn among equal bottom scores.

    Returns:
        A mask in which the units are True.

    Raises:
        SettingError: `rank`, `share` or `scope` is outside what it may be.
    """
    check_choice("rank", rank, Rank)
    if rank == "random":
        return Mask.random(scores, share, scope, seed)
    if rank == "bottom":
        return Mask.top(lowest_first(scores), share, scope, seed=seed)
    return Mask.top(scores, share, scope)


@contextmanager
def zeroed(model: PreTrainedModel, mask: Mask) -> Iterator[PreTrainedModel]:
    """A model whose units outside `mask` are zero until the `with` block ends.

    Afterwards, also after an error, every weight has the bits it had.

    Args:
        model: whose units are set to zero.
        mask: units marked True, and parameters it does not name, are left alone.

    Yields:
        The model itself.

    Raises:
        ModelError: the mask was made for another model.
    """
    mask.check(model)
    held = []
    try:
        with torch.no_grad():
            for _, parameter, frozen in mask.frozen(model):
                held.append((parameter, parameter.detach().clone()))
                parameter.masked_fill_(frozen, 0)
        yield model
    finally:
        with torch.no_grad():
            for parameter, value in held:
                parameter.copy_(value)


def measured(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    *,
    general: General | None = None,
    examples: int = 32,
    split: ScoredSplit = "eval",
) -> Measured:
    """Every task's scores and General, on a sample; pass it as `before` to save time.

    Args:
        model: a causal language model; it stays as it is.
        tokenizer: the model's.
        tasks: the tasks to score.
        general: what General is measured on (None: not measured).
        examples: how many of each task's and each skill's examples, the first ones.
        split: `eval` or `test`.

    Returns:
        The scores.

    Raises:
        SettingError: `examples` is below 1, or there is no such split.
        DataError: a task has no such split.
        TrainingError: a likelihood is not a number.
    """
    check_count("examples", examples)
    evaluation = evaluate(model, tokenizer, tasks, general, split=split, probe=examples)
    return Measured(
        evaluation.tasks, None if evaluation.general is None else evaluation.general.score
    )


def zeroing(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    mask: Mask,
    *,
    general: General | None = None,
    examples: int = 32,
    split: ScoredSplit = "eval",
    before: Measured | None = None,
) -> Effect:
    """Score every task with the units outside `mask` at zero.

        lab.zeroing(model, tokenizer, tasks, ~lab.Mask.top(scores, 0.1))  # zeroes the top tenth

    Args:
        model: comes back bit-identical.
        tokenizer: the model's.
        tasks: the tasks to score.
        mask: as in training, True marks units that are left alone; the others become zero.
            Parameters it does not name are left alone.
        general: what General is measured on (None: not measured).
        examples: how many of each task's and each skill's examples are scored, the first ones.
        split: which split is scored, `eval` or `test`.
        before: what `measured` says of the model, if that is known.

    Returns:
        The scores before and with the units at zero.

    Raises:
        ModelError: the mask was made for another model.
    """
    evaluated_on: dict[str, Any] = {"general": general, "examples": examples, "split": split}
    before = before or measured(model, tokenizer, tasks, **evaluated_on)
    with zeroed(model, mask):
        after = measured(model, tokenizer, tasks, **evaluated_on)
    return Effect(
        "zeroing",
        before,
        after,
        None,
        mask.unit_count - mask.count,
        Mask.full(model).unit_count,
        general_better=_better(general),
    )


def zeroing_heads(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    heads: Iterable[Head],
    *,
    general: General | None = None,
    examples: int = 32,
    split: ScoredSplit = "eval",
    before: Measured | None = None,
) -> Effect:
    """Score every task with whole attention heads at zero: they contribute nothing to their layer.

        lab.zeroing_heads(model, tokenizer, tasks, [(2, 0), (3, 1)])  # head 0 of layer 2, …

    Args:
        model: comes back bit-identical.
        tokenizer: the model's.
        tasks: the tasks to score.
        heads: pairs of layer and head, both from 0.
        general: what General is measured on (None: not measured).
        examples: how many of each task's and each skill's examples are scored, the first ones.
        split: which split is scored, `eval` or `test`.
        before: what `measured` says of the model, if that is known.

    Returns:
        The scores before and with the heads at zero.

    Raises:
        ModelError: it is not known which units of the model belong to which head.
        SettingError: there is no such head, or none is named.
    """
    chosen = set(heads)
    effect = zeroing(
        model, tokenizer, tasks, without_heads(model, chosen),
        general=general, examples=examples, split=split, before=before,
    )  # fmt: skip
    layers = {part.layer for part in head_parts(model)}
    count = len(layers) * head_layout(model).heads
    return replace(effect, off=len(chosen), units=count, unit="attention heads")


def freezing(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    mask: Mask,
    train: str,
    *,
    steps: int = 15,
    lr: float = 1e-3,
    batch_size: int = 16,
    seed: int = 0,
    general: General | None = None,
    examples: int = 32,
    split: ScoredSplit = "eval",
    before: Measured | None = None,
    free: Measured | None = None,
) -> Effect:
    """Score every task after a few steps on one of them, with the units outside `mask` frozen.

    The same steps with every unit free are the control.

    Args:
        model: a copy is trained; it stays as it is.
        tokenizer: the model's.
        tasks: the tasks to score.
        mask: True marks units that may move; the others are frozen. Parameters it does not name
            train whole.
        train: the task to train, by name.
        steps: optimiser steps. The optimiser is AdamW without weight decay, gradients are clipped
            at norm 1, as `run_sequence` trains by default.
        lr: learning rate of the first step; it falls linearly to 0.
        batch_size: examples per step.
        seed: orders the examples, and draws dropout.
        general: what General is measured on (None: not measured).
        examples: how many of each task's and each skill's examples are scored, the first ones.
        split: which split is scored, `eval` or `test`.
        before: what `measured` says of the model, if that is known.
        free: what it says after the same steps with every unit free, if that is known.

    Returns:
        The scores before, after the steps, and after the same steps with every unit free.

    Raises:
        DataError: there is no such task.
        SettingError: a setting of the training is outside what it may be.
        ModelError: the mask was made for another model.
        TrainingError: the loss is not a number any more.
    """
    mask.check(model)
    check_count("steps", steps)
    task = tasks[train]
    index = tasks.names.index(train)
    longest = example_length(model)
    encoded = encode(tokenizer, task.train, longest)
    settings = TrainingSettings(lr=lr, batch_size=batch_size, seed=seed)
    evaluated_on: dict[str, Any] = {"general": general, "examples": examples, "split": split}
    moving, units = moving_units(model, mask)

    def trained(mask: Mask | None) -> PreTrainedModel:
        trial, method = copy.deepcopy(model), SFT()
        context = TaskContext(
            trial, tokenizer, task.train, encoded, task.name, index, seed, longest
        )
        with torch.random.fork_rng(), masking_for(trial, mask, method) as masking:
            torch.manual_seed(context.seed_for("data order"))
            optimizer = masking.attach(make_optimizer(trial, settings))
            train_task(
                context, method, masking, optimizer, settings, encoded, steps, 0, lambda _: True
            )
        return trial

    before = before or measured(model, tokenizer, tasks, **evaluated_on)
    # Where no unit may move there is nothing to train.
    after = before if moving == 0 else measured(trained(mask), tokenizer, tasks, **evaluated_on)
    free = free or measured(trained(None), tokenizer, tasks, **evaluated_on)
    return Effect(
        "freezing", before, after, free, units - moving, units, task.name, steps, _better(general)
    )  # fmt: skip


def _better(general: General | None) -> Literal["higher", "lower"]:
    return "higher" if general is None else general.better
