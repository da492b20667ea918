"""The loss that training minimises, taken from the logits, and whether a family's own is another.

Some families of transformers do not shift the labels in their own `.loss` (the decoders of BART and
its kin, XLNet, XLM, CPM-Ant): they learn to copy the token they read, not to predict the next.
"""

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.models.encoding import IGNORED, Encoded, collate, text_logits

_ROUNDING = {torch.float64: 1e-5, torch.float32: 1e-3}
"""How far two computations of one loss may be apart, relative to it, by the model's precision."""

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
    following = nn.functional.pad(labels, (0, 1), value=IGNORED)[:, 1:].contiguous()
    rows = logits.float().view(-1, logits.shape[-1])
    return nn.functional.cross_entropy(rows, following.view(-1), ignore_index=IGNORED)


def differ(value: float, expected: float, dtype: torch.dtype) -> bool:
    """Whether two computations of one number differ by more than rounding."""
    close = abs(value - expected) <= _ROUNDING.get(dtype, 0.05) * abs(expected)
    return not close  # not a number is a difference, too


def probe_ids(model: PreTrainedModel, length: int) -> tuple[int, ...]:
    """A few different token ids from the middle of a model's vocabulary, to try the model on."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    return tuple((vocabulary // 3 + 5 * index) % vocabulary for index in range(length))


@torch.no_grad()
def own_loss_differs(model: PreTrainedModel, text: Encoded | None = None) -> bool:
    """Whether the `.loss` of a model's family is another than `answer_loss`, on one short text.

    Args:
        model: in evaluation mode.
        text: what to compare on; by default a few tokens from the middle of the vocabulary.

    Returns:
        True if it is another, or if there is none.
    """
    if text is None:
        ids = probe_ids(model, PROBE_TOKENS)
        text = Encoded(ids[:2], ids[2:], False)
    batch = {name: tensor.to(model.device) for name, tensor in collate([text], 0).items()}
    output = model(**batch, use_cache=False)
    if output.loss is None:
        return True
    logits = text_logits(output.logits, batch["labels"].shape[1])
    expected = answer_loss(logits, batch["labels"])
    return differ(float(output.loss), float(expected), model.dtype)
