"""Logits where they are needed: the head is not run over prompts and padding.

Over a vocabulary of 49,152 tokens the head is a fifth of a small model's work, and its logits are
most of the memory of a step; of a short answer's example nine in ten of them are not looked at.
"""

import inspect
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.models.encoding import IGNORED, text_logits


def logits_at(
    model: PreTrainedModel, inputs: dict[str, Tensor], positions: Tensor
) -> tuple[Any, Tensor]:
    """Run a model over a batch, and its head at the given positions of each text alone.

    The head runs everywhere in families whose forward passes cannot leave positions out, and in
    adapters that wrap the model.

    Args:
        model: a causal language model of transformers.
        inputs: arguments of its forward pass, `input_ids` (B, T) among them.
        positions: (B, n), each below T.

    Returns:
        The model's output, whose own logits may be those everywhere, and the logits
        (B, n, vocabulary) at the positions, in the model's type.
    """
    if keeps_positions(model):
        output = model(**inputs, use_cache=False, logits_to_keep=positions)
        return output, output.logits
    output = model(**inputs, use_cache=False)
    logits = text_logits(output.logits, inputs["input_ids"].shape[1])
    return output, torch.take_along_dim(logits, positions[..., None], dim=1)


def keeps_positions(model: PreTrainedModel) -> bool:
    """Whether a model's forward pass can be told for each text where logits are needed.

    Args:
        model: a causal language model of transformers.

    Returns:
        True if it takes `logits_to_keep` and slices by transformers' own function, which knows
        positions that differ from text to text. False if its layers lie on several devices: the
        positions are sent to the first, and the head's input lies on the last.
    """
    forward = inspect.unwrap(type(model).forward)
    return (
        "logits_to_keep" in inspect.signature(forward).parameters
        and "slice_logits_to_keep" in forward.__globals__
        and len({parameter.device for parameter in model.parameters()}) == 1
    )


def answer_positions(labels: Tensor) -> tuple[Tensor, Tensor]:
    """The positions that predict an answer token, and those tokens.

    Args:
        labels: (B, T), `IGNORED` where a token does not count.

    Returns:
        positions (B, n) and targets (B, n), n the most answer tokens of any example; shorter
        answers are filled up with targets `IGNORED`.
    """
    following = labels[:, 1:]
    counts = (following != IGNORED).sum(1)
    longest = max(1, int(counts.max())) if following.shape[1] else 0
    order = torch.sort((following == IGNORED).long(), dim=1, stable=True).indices[:, :longest]
    return order, following.gather(1, order)
