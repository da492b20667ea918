"""What each per-example estimator differentiates: scalars whose squared gradients it adds up."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.fisher.likelihood import AnswerLikelihood
from fggm_lab.fisher.per_example import Objective
from fggm_lab.models.encoding import IGNORED

EXAMPLE_NUMBERS = "numbers"
"""The batch entry that holds each example's own number, (B,): what seeds its draws."""


def data_likelihood(model: PreTrainedModel) -> Objective:
    """The log-likelihood of the answers in the data: one scalar."""
    likelihood = AnswerLikelihood(model)
    return lambda batch: [likelihood(batch)]


def token_likelihoods(model: PreTrainedModel) -> Objective:
    """The log-likelihood of every answer token by itself: scalar n sums all n-th tokens."""
    likelihood = AnswerLikelihood(model)

    def objective(batch: dict[str, Tensor]) -> list[Tensor]:
        logits, targets = likelihood.predictions(batch)
        losses = nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
        )
        return [-column.sum() for column in losses.view_as(targets).unbind(1)]

    return objective


def drawn_labels(model: PreTrainedModel, draws: int, seed: int) -> Objective:
    """The log-likelihood of labels drawn from the model at every answer position.

    The prefixes are the data's. Each draw is one scalar, divided by √draws so that the squares
    average. What is drawn for an example depends on the seed and its number only.

    Args:
        model: a causal language model of transformers.
        draws: how many labels are drawn at every position.
        seed: of the draws.

    Returns:
        A function of a batch that gives `draws` scalars.
    """
    likelihood = AnswerLikelihood(model)

    def objective(batch: dict[str, Tensor]) -> list[Tensor]:
        logits, targets = likelihood.predictions(batch)
        labels = torch.stack(
            [
                _draw(row.detach(), draws, seed, number)
                for row, number in zip(logits, batch[EXAMPLE_NUMBERS].tolist(), strict=True)
            ]
        )
        logs = logits.log_softmax(-1).gather(2, labels)
        logs = logs.masked_fill((targets == IGNORED)[..., None], 0) / math.sqrt(draws)
        return [draw.sum() for draw in logs.unbind(2)]

    return objective


def _draw(logits: Tensor, draws: int, seed: int, number: int) -> Tensor:
    """Labels (n, draws) from the probabilities of logits (n, vocabulary), by inversion."""
    rng = np.random.Generator(np.random.PCG64([seed, number]))
    # position by position, so that padding after an example's answer moves none of its draws
    uniform = torch.from_numpy(rng.random((len(logits), draws))).to(logits.device)
    wide = torch.float32 if logits.device.type == "mps" else torch.float64
    cumulative = logits.to(wide).softmax(-1).cumsum(-1)
    threshold = uniform.to(wide) * cumulative[:, -1:]
    return torch.searchsorted(cumulative, threshold, right=True).clamp_(max=logits.shape[1] - 1)


def all_labels(model: PreTrainedModel) -> Objective:
    """Every label of the vocabulary at every answer position, weighted by its probability.

    The scalar of a label is √p log p with p held fixed under the root, so that the squares add up
    to the expectation. A score's own expectation is zero, so positions have no cross terms, and
    this is what `drawn_labels` converges to.

    Args:
        model: a causal language model of transformers.

    Returns:
        A function of a batch that gives a scalar per position and label.
    """
    likelihood = AnswerLikelihood(model)

    def objective(batch: dict[str, Tensor]) -> list[Tensor]:
        logits, targets = likelihood.predictions(batch)
        logs = logits.log_softmax(-1)
        roots = (logs.detach() / 2).exp().masked_fill((targets == IGNORED)[..., None], 0)
        return [
            (root * log).sum()
            for at in range(logs.shape[1])
            for root, log in zip(roots[:, at].unbind(1), logs[:, at].unbind(1), strict=True)
        ]

    return objective
