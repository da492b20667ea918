"""The loss that training minimises, taken from the logits, and whether a family's own is another.

Some families of transformers do not shift the labels in their own `.loss` (the decoders of BART and
its kin, XLNet, XLM, CPM-Ant): they learn to copy the token they read, not to predict the next.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError
from fggm_lab.models.encoding import IGNORED, Encoded, collate, text_logits

_ROUNDING = {torch.float64: 1e-5, torch.float32: 1e-3}
"""How far two computations of one loss may be apart, relative to it, by the model's precision."""

_ROUTER_WEIGHTS = ("router_aux_loss_coef", "aux_loss_coef")
"""What transformers' mixtures call the weight of their router's loss."""

PROBE_TOKENS = 12
"""How many tokens the text has on which the two losses are compared."""


def answer_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean negative log-likelihood per labelled token, each predicted from those before it.

    Bit for bit the `.loss` of a family of transformers that shifts its labels.

    Args:
        logits: (B, T, vocabulary).
        labels: (B, T), `IGNORED` where a token does not count.

    Returns:
        A scalar in float32, nats per token.
    """
    return mean_loss(logits, next_tokens(labels))


def next_tokens(labels: Tensor) -> Tensor:
    """The label that each position predicts, (B, T); the last one predicts none."""
    return nn.functional.pad(labels, (0, 1), value=IGNORED)[:, 1:].contiguous()


def mean_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean negative log-likelihood of the targets that count.

    Args:
        logits: (B, n, vocabulary), each at the position that predicts its target.
        targets: (B, n), `IGNORED` where none counts.

    Returns:
        A scalar in float32, nats per token.
    """
    rows = logits.float().view(-1, logits.shape[-1])
    return nn.functional.cross_entropy(rows, targets.view(-1), ignore_index=IGNORED)


def router_loss(model: PreTrainedModel, output: Any) -> Tensor | None:
    """What a mixture of experts adds to its loss, so that its router spreads tokens evenly.

    Switch Transformers' load balancing (Fedus et al., arXiv 2101.03961). The families of
    transformers add it where their configuration has `output_router_logits=True`.

    Args:
        model: the model.
        output: of its forward pass, `aux_loss` included if the model computes one.

    Returns:
        A scalar, weighted as the family weights it; None without such a loss.

    Raises:
        ModelError: the weight is not known.
    """
    balance = getattr(output, "aux_loss", None)
    if not isinstance(balance, Tensor):
        return None
    owners = [*model.modules(), model.config.get_text_config()]
    named = (getattr(owner, name, None) for owner in owners for name in _ROUTER_WEIGHTS)
    weight = next((number for number in named if isinstance(number, int | float)), None)
    if weight is None:
        raise ModelError(
            f"{type(model).__name__} has a router's loss of unknown weight; set "
            "model.config.output_router_logits = False"
        )
    return weight * balance


def differ(value: float, expected: float, dtype: torch.dtype) -> bool:
    """Whether two computations of one number differ by more than rounding."""
    close = abs(value - expected) <= _ROUNDING.get(dtype, 0.05) * abs(expected)
    return not close  # not a number is a difference, too


def probe_ids(model: PreTrainedModel, length: int) -> tuple[int, ...]:
    """A few different token ids from the middle of a model's vocabulary, to try the model on."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    return tuple((vocabulary // 3 + 5 * index) % vocabulary for index in range(length))


@torch.no_grad()
def own_loss_differs(model: PreTrainedModel) -> bool:
    """Whether the `.loss` of a model's family is another than `answer_loss`, on one short text.

    The loss of a mixture's router is no difference.

    Args:
        model: in evaluation mode.

    Returns:
        True if it is another, or if there is none.
    """
    ids = probe_ids(model, PROBE_TOKENS)
    text = Encoded(ids[:2], ids[2:], False)
    batch = {name: tensor.to(model.device) for name, tensor in collate([text], 0).items()}
    output = model(**batch, use_cache=False)
    if output.loss is None:
        return True
    logits = text_logits(output.logits, batch["labels"].shape[1])
    expected = answer_loss(logits, batch["labels"])
    router = router_loss(model, output)
    expected = expected if router is None else expected + router
    return differ(float(output.loss), float(expected), model.dtype)
