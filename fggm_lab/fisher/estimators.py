"""The estimators of the diagonal Fisher: which gradients are squared."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from fggm_lab.fisher.adam import second_moments
from fggm_lab.fisher.factors import widen
from fggm_lab.fisher.fisher_pass import FisherPass
from fggm_lab.fisher.likelihood import AnswerLikelihood
from fggm_lab.fisher.memory_budget import batch_limit
from fggm_lab.fisher.objectives import all_labels, data_likelihood, drawn_labels, token_likelihoods
from fggm_lab.fisher.per_example import Objective, PerExampleFisher
from fggm_lab.fisher.registry import estimator
from fggm_lab.models.modes import requiring_grad

Batches = Iterator[tuple[Sequence[int], Tensor]]


@estimator("empirical", "every example's gradient of its answer's log-likelihood, squared; exact")
def empirical(fisher_pass: FisherPass) -> Batches:
    """F = 1/M Σ_j (∂ log p(y_j | x_j) / ∂θ)²: every example squared by itself, exactly."""
    return _squared(fisher_pass, data_likelihood(fisher_pass.model))


@estimator("sampled", "the same with answers drawn from the model: the true Fisher, by Monte Carlo")
def sampled(fisher_pass: FisherPass) -> Batches:
    """F = 1/M Σ_j 1/k Σ_d (∂ log p(ŷ_jd | x_j) / ∂θ)², ŷ drawn from the model.

    A label is drawn at every answer position; the prefix consists of the data's own tokens.

    Returns:
        The batches as they are scored.
    """
    return _squared(
        fisher_pass, drawn_labels(fisher_pass.model, fisher_pass.draws, fisher_pass.seed)
    )


@estimator(
    "true",
    "every possible label weighted by its probability; answers of one token",
    answer_tokens=1,
)
def true_fisher(fisher_pass: FisherPass) -> Batches:
    """F = 1/M Σ_j Σ_t Σ_v p(v) (∂ log p(v) / ∂θ)², for the answer's token and the end token.

    One backward pass per label of the vocabulary and position, over one forward pass.

    Returns:
        The batches as they are scored.
    """
    return _squared(fisher_pass, all_labels(fisher_pass.model))


@estimator("token", "every answer token's gradient squared by itself, summed over tokens")
def token(fisher_pass: FisherPass) -> Batches:
    """F = 1/M Σ_j Σ_t (∂ log p(y_jt | x_j, y_j<t) / ∂θ)²: no products between tokens.

    One backward pass per answer position, over one forward pass.

    Returns:
        The batches as they are scored.
    """
    return _squared(fisher_pass, token_likelihoods(fisher_pass.model))


def _squared(fisher_pass: FisherPass, objective: Objective) -> Batches:
    """Every example's gradients of an objective, squared by themselves."""
    fisher = PerExampleFisher(fisher_pass.model, objective, fisher_pass.sums)
    shortest = min(range(len(fisher_pass.encoded)), key=lambda i: len(fisher_pass.encoded[i]))
    fisher.check(fisher_pass.load([shortest]), fisher_pass.memory_budget)
    for indices in fisher_pass.batches(batch_limit(fisher_pass, fisher)):
        yield indices, fisher.add(fisher_pass.load, indices)


@estimator(
    "batch", "a batch's mean gradient, squared: biased, and often called Fisher", per_example=False
)
def batch_gradient(fisher_pass: FisherPass) -> Batches:
    """The squared mean gradient of each batch, averaged: not the Fisher, though often called so.

    It shrinks with the batch size (for independent gradients of mean zero, by 1/B). Batches are
    consecutive examples; each is weighted by its number of examples.

    Yields:
        The indices of a batch, and its log-likelihood.
    """
    likelihood = AnswerLikelihood(fisher_pass.model)
    parameters = fisher_pass.sums.parameters
    for start in range(0, len(fisher_pass.encoded), fisher_pass.batch_size):
        indices = range(start, min(len(fisher_pass.encoded), start + fisher_pass.batch_size))
        with requiring_grad(fisher_pass.model.parameters(), parameters.values()):
            value = likelihood(fisher_pass.load(indices))
            gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
        fisher_pass.sums.open_batch(1)
        for name, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                fisher_pass.sums.add_gradient(name, gradient / len(indices), weight=len(indices))
        fisher_pass.sums.close_batch()
        yield indices, value.detach()


@estimator(
    "adam",
    "an optimiser's second moment as it stands, no pass over examples (arXiv 2507.18807)",
    reads_examples=False,
    per_example=False,
)
def adam(fisher_pass: FisherPass) -> Batches:
    """The optimiser's running mean of squared batch gradients ("Fishers for Free").

    These are squares of batch means along the training trajectory, so biased as `batch` is, but
    they cost no pass over examples.

    Yields:
        Once, no indices and zero.
    """
    fisher_pass.sums.open_batch(1)
    for name, squares in second_moments(fisher_pass.optimizer, fisher_pass.sums.parameters):
        fisher_pass.sums.add_squares(name, widen(squares))
    fisher_pass.sums.close_batch()
    yield (), torch.zeros(())
