"""How far a model has moved from another one: the divergence of what they predict."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.errors import DataError
from fggm_lab.evaluation.batches import answer_batches
from fggm_lab.models.answer_logits import logits_at
from fggm_lab.models.encoding import IGNORED, Encoded
from fggm_lab.models.modes import evaluating

POSITIONS = 1024
"""How many next-token distributions are compared at once, so that memory stays bounded."""


@torch.no_grad()
def kl_per_token(
    base: PreTrainedModel,
    model: PreTrainedModel,
    encoded: Sequence[Encoded],
    *,
    pad: int | None,
    batch_size: int = 16,
) -> float:
    """Mean KL(base ‖ model) of the next token, over the answers' tokens and the whole vocabulary.

    The mean over answer tokens t of Σ_v p(v | x_<t) (log p(v | x_<t) − log q(v | x_<t)), p the
    base's distribution and q the model's, dropout off. arXiv 2509.04259 relates what a model
    forgets to this divergence on the new task's inputs; there, as we understand its text, outputs
    are drawn, and here the answers are those of the examples.

    Args:
        base: the model from which the distance is taken.
        model: with the same vocabulary, on the same device.
        encoded: prompts and answers as token ids; the answers' positions count.
        pad: the id of the padding token; None: 0, which the mask hides.
        batch_size: examples per forward pass, fewer where their logits would not fit.

    Returns:
        Nats per token, 0 for the same model.

    Raises:
        DataError: there is no answer token.
    """
    total, tokens = 0.0, 0
    pad = 0 if pad is None else pad
    with evaluating(base), evaluating(model):
        for batch in answer_batches(model, encoded, pad, batch_size, models=2):
            p, q = (
                logits_at(network, batch.inputs, batch.positions)[1][batch.targets != IGNORED]
                for network in (base, model)
            )
            tokens += len(p)
            for p_part, q_part in zip(p.split(POSITIONS), q.split(POSITIONS), strict=True):
                total += float(_divergences(p_part, q_part).sum(dtype=torch.float64))
    if not tokens:
        raise DataError("there is no answer token to compare two models on; give examples")
    return max(0.0, total / tokens)  # rounding may fall below


def _divergences(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """(n,) KL(p ‖ q) of distributions given by logits (n, vocabulary)."""
    p, q = (logits.float().log_softmax(-1) for logits in (p_logits, q_logits))
    return torch.nn.functional.kl_div(q, p, reduction="none", log_target=True).sum(-1)
