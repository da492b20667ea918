"""Estimate the diagonal Fisher information of a model on a task's examples."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, ModelError, SettingError
from fggm_lab.fisher.exact import ExactFisher
from fggm_lab.fisher.likelihood import AnswerLikelihood, evaluating, requiring_grad
from fggm_lab.fisher.scores import FisherInfo, FisherScores, dtype_name
from fggm_lab.fisher.sums import SquareSums
from fggm_lab.fisher.units import ENTRY, other_axis, unit_axes
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import (
    Encoded,
    HasPromptAndAnswer,
    batches_by_length,
    collate,
    encode,
)
from fggm_lab.models.fingerprint import fingerprint

AGGREGATIONS = ("input", "output", "none")
"""What a weight's unit sums over: its inputs (rows), its outputs (columns), nothing (entries)."""


@dataclass(frozen=True)
class _Work:
    """What an estimator gets: the model, the examples, and where the squares go."""

    model: PreTrainedModel
    encoded: Sequence[Encoded]
    pad: int
    batch_size: int
    sums: SquareSums

    def load(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """The padded batch of some examples, on the model's device."""
        batch = collate([self.encoded[i] for i in indices], self.pad)
        return {name: tensor.to(self.model.device) for name, tensor in batch.items()}


Estimator = Callable[[_Work], Iterator[tuple[int, Tensor]]]
"""Fills the sums; after each batch yields its number of examples and its log-likelihood."""

ESTIMATORS: dict[str, Estimator] = {}
"""Name → estimator; the command line, docs and widgets list these."""


def estimator(name: str) -> Callable[[Estimator], Estimator]:
    """Register an estimator under `name`."""

    def register(function: Estimator) -> Estimator:
        ESTIMATORS[name] = function
        return function

    return register


@estimator("empirical")
def empirical(work: _Work) -> Iterator[tuple[int, Tensor]]:
    """F = 1/M Σ_j (∂ log p(y_j | x_j) / ∂θ)²: every example squared by itself, exactly."""
    exact = ExactFisher(work.model, AnswerLikelihood(work.model), work.sums)
    exact.check(work.load([0]))
    for indices in _batches(work):
        yield len(indices), exact.add(work.load, indices)


def _batches(work: _Work) -> Iterator[list[int]]:
    """Batches of similar length; of equal length, so without padding, in float64.

    Transformers' eager attention takes its softmax in float32 whatever the model's dtype, and its
    rounding depends on the padding: 1e-7, far above what float64 is used for.
    """
    for indices in batches_by_length(work.encoded, work.batch_size):
        if work.model.dtype == torch.float64:
            same = groupby(indices, key=lambda i: len(work.encoded[i]))
            yield from (list(group) for _, group in same)
        else:
            yield indices


@estimator("batch")
def batch_gradient(work: _Work) -> Iterator[tuple[int, Tensor]]:
    """The squared mean gradient of each batch, averaged: not the Fisher, and often called so.

    It shrinks with the batch size (for independent gradients of mean zero, by 1/B). Batches are
    consecutive examples; each counts by its number of examples.
    """
    likelihood = AnswerLikelihood(work.model)
    parameters = work.sums.parameters
    for start in range(0, len(work.encoded), work.batch_size):
        indices = range(start, min(len(work.encoded), start + work.batch_size))
        with requiring_grad(work.model, parameters.values()):
            value = likelihood(work.load(indices))
            gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
        for name, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                work.sums.add_gradient(name, gradient / len(indices), weight=len(indices))
        yield len(indices), value.detach()


def fisher_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[HasPromptAndAnswer],
    *,
    estimator: str = "empirical",
    elementwise: bool = False,
    aggregation: str = "input",
    batch_size: int = 16,
    max_examples: int | None = None,
    max_length: int | None = None,
    task: str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> FisherScores:
    """Score every unit of a model by the diagonal Fisher information of some examples.

    Entry i's score is F_i = 1/M Σ_j (∂ log p(y_j | x_j; θ) / ∂θ_i)², the log-likelihood summed over
    the answer's tokens (its end token included) under teacher forcing, dropout off; a unit's score
    is the sum over its entries (FGGM, arXiv 2601.18261, its input aggregation). The model comes
    back as it was: weights, gradients, flags and hooks.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer; needs an end token, but no padding token.
        examples: objects with `.prompt` and `.answer`.
        estimator: a key of `ESTIMATORS`: `empirical`, or `batch` to see how that one is biased.
        elementwise: also keep the whole diagonal (as large as the model).
        aggregation: `input` (a unit is an output row), `output` (an input column, an ablation), or
            `none` (every entry is a unit; needs `elementwise=True`).
        batch_size: examples per pass; `empirical` does not depend on it.
        max_examples: use only the first so many.
        max_length: the most tokens of an example; by default the model's context. Longer prompts
            are cut from the left.
        task: the task's name, for the record.
        progress: called with (examples done, examples in all) after each batch.

    Raises:
        SettingError: a setting is outside what it may be.
        DataError: no examples, or an answer longer than `max_length`.
        ModelError: the likelihood or a score is not a finite number.
    """
    _check(estimator, elementwise, aggregation, batch_size, max_examples, max_length)
    chosen = list(examples[:max_examples])
    if not chosen:
        raise DataError("there are no examples to score; pass at least one prompt and answer")
    encoded = encode(tokenizer, chosen, max_length or context_length(model))
    parameters = {n: p for n, p in model.named_parameters() if p.is_floating_point()}
    if not parameters:
        raise ModelError("the model has no floating-point parameter to score; load it unquantised")
    axes = {n: a for n, a in unit_axes(model).items() if n in parameters}
    if aggregation == "output":
        axes = {n: other_axis(tuple(parameters[n].shape), a) for n, a in axes.items()}
    elif aggregation == "none":
        axes = dict.fromkeys(axes, ENTRY)
    sums = SquareSums(parameters, axes, elementwise)
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    work = _Work(model, encoded, pad, batch_size, sums)
    done = 0
    with evaluating(model):
        for count, value in ESTIMATORS[estimator](work):
            if not torch.isfinite(value):
                raise ModelError(
                    f"the answers' log-likelihood is {float(value)} in the batch after example "
                    f"{done}; load the model in float32, or go back to a sound checkpoint"
                )
            done += count
            if progress is not None:
                progress(done, len(encoded))
    units, whole = sums.means(len(encoded))
    broken = [name for name, scores in units.items() if not torch.isfinite(scores).all()]
    if broken:
        raise ModelError(
            f"the scores of {broken[0]} ({len(broken)} of {len(units)} parameters) are not finite; "
            "load the model in float32, or go back to a sound checkpoint"
        )
    made = FisherInfo(
        estimator=estimator,
        aggregation=aggregation,
        examples=len(encoded),
        tokens=sum(_counted(item) for item in encoded),
        model=fingerprint(model),
        task=task,
        dtype=dtype_name(next(iter(parameters.values())).dtype),
        truncated=sum(item.truncated for item in encoded),
        extra={"batch_size": batch_size, "generic": sorted(sums.generic)},
    )
    return FisherScores(units, axes, whole, made)


def _counted(item: Encoded) -> int:
    """Answer tokens whose likelihood counts: the very first token of a text has none."""
    return len(item.answer) - (0 if item.prompt else 1)


def _check(
    estimator: str,
    elementwise: bool,
    aggregation: str,
    batch_size: int,
    max_examples: int | None,
    max_length: int | None,
) -> None:
    if estimator not in ESTIMATORS:
        raise SettingError(
            f"no estimator is named '{estimator}'; there are: {', '.join(ESTIMATORS)}"
        )
    if aggregation not in AGGREGATIONS:
        raise SettingError(
            f"no aggregation is named '{aggregation}'; there are: {', '.join(AGGREGATIONS)}"
        )
    if aggregation == "none" and not elementwise:
        raise SettingError(
            "aggregation 'none' keeps a score for every entry, which is as large as the model; "
            "say so with elementwise=True"
        )
    numbers = {"batch_size": batch_size, "max_examples": max_examples, "max_length": max_length}
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise SettingError(f"{name} is {value}; it must be 1 or more")
