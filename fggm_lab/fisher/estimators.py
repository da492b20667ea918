"""The estimators of the diagonal Fisher: which gradients are squared."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from fggm_lab.errors import DataError
from fggm_lab.fisher.adam import second_moments
from fggm_lab.fisher.budget import plan_for
from fggm_lab.fisher.exact import ExactFisher, Objective
from fggm_lab.fisher.factors import widen
from fggm_lab.fisher.likelihood import AnswerLikelihood, requiring_grad
from fggm_lab.fisher.objectives import of_data, of_draws, of_labels, of_tokens
from fggm_lab.fisher.work import Work, estimator

Batches = Iterator[tuple[Sequence[int], Tensor]]


@estimator("empirical", "every example's gradient of its answer's log-likelihood, squared; exact")
def empirical(work: Work) -> Batches:
    """F = 1/M Σ_j (∂ log p(y_j | x_j) / ∂θ)²: every example squared by itself, exactly."""
    return _squared(work, of_data(work.model))


@estimator("sampled", "the same with answers drawn from the model: the true Fisher, by Monte Carlo")
def sampled(work: Work) -> Batches:
    """F = 1/M Σ_j 1/k Σ_d (∂ log p(ŷ_jd | x_j) / ∂θ)², ŷ drawn from the model.

    A label is drawn at every answer position, each after the data's own tokens.
    """
    return _squared(work, of_draws(work.model, work.draws, work.seed))


@estimator("true", "every possible label weighted by its probability; answers of one token")
def true_fisher(work: Work) -> Batches:
    """F = 1/M Σ_j Σ_t Σ_v p(v) (∂ log p(v) / ∂θ)², for the answer's token and the end token.

    One backward pass per label of the vocabulary and position, over one forward pass.
    """
    for number, item in zip(work.numbers, work.encoded, strict=True):
        if len(item.answer) > 2:
            raise DataError(
                f"the answer of example {number} has {len(item.answer) - 1} tokens, and estimator "
                "'true' takes answers of one; use estimator='sampled'"
            )
    return _squared(work, of_labels(work.model))


@estimator("token", "every answer token's gradient squared by itself, summed over tokens")
def token(work: Work) -> Batches:
    """F = 1/M Σ_j Σ_t (∂ log p(y_jt | x_j, y_j<t) / ∂θ)²: no products between tokens.

    One backward pass per answer position, over one forward pass.
    """
    return _squared(work, of_tokens(work.model))


def _squared(work: Work, objective: Objective) -> Batches:
    """Every example's gradients of an objective, squared by themselves."""
    fisher = ExactFisher(work.model, objective, work.sums)
    shortest = min(range(len(work.encoded)), key=lambda i: len(work.encoded[i]))
    fisher.check(work.load([shortest]), work.memory_budget)
    for indices in work.batches(plan_for(work, fisher)):
        yield indices, fisher.add(work.load, indices)


@estimator(
    "batch", "a batch's mean gradient, squared: biased, and often called Fisher", per_example=False
)
def batch_gradient(work: Work) -> Batches:
    """The squared mean gradient of each batch, averaged: not the Fisher, and often called so.

    It shrinks with the batch size (for independent gradients of mean zero, by 1/B). Batches are
    consecutive examples; each counts by its number of examples.
    """
    likelihood = AnswerLikelihood(work.model)
    parameters = work.sums.parameters
    for start in range(0, len(work.encoded), work.batch_size):
        indices = range(start, min(len(work.encoded), start + work.batch_size))
        with requiring_grad(work.model.parameters(), parameters.values()):
            value = likelihood(work.load(indices))
            gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
        work.sums.open_batch(1)
        for name, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                work.sums.add_gradient(name, gradient / len(indices), weight=len(indices))
        work.sums.close_batch()
        yield indices, value.detach()


@estimator(
    "adam",
    "an optimiser's second moment as it stands, no pass over examples (arXiv 2507.18807)",
    reads_examples=False,
    per_example=False,
)
def adam(work: Work) -> Batches:
    """The optimiser's running mean of squared batch gradients ("Fishers for Free").

    Squares of batch means along the training trajectory, so biased as `batch` is, and for free.
    """
    work.sums.open_batch(1)
    for name, squares in second_moments(work.optimizer, work.sums.parameters):
        work.sums.add_squares(name, widen(squares))
    work.sums.close_batch()
    yield (), torch.zeros(())
