"""log p(answer | prompt) of a batch, and the states a model must be in to differentiate it."""

import inspect
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.models.encoding import IGNORED, text_logits
from fggm_lab.models.positions import first_position


class AnswerLikelihood:
    """Computes the summed log-likelihood of a batch's answers, with the head only where needed."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Looks at what the model's forward accepts.

        Args:
            model: a causal language model of transformers.
        """
        self._model = model
        forward = inspect.unwrap(type(model).forward)
        names = inspect.signature(forward).parameters
        self._takes_positions = "position_ids" in names
        self._first_position = first_position(model)
        self._takes_keep = (
            "logits_to_keep" in names and "slice_logits_to_keep" in forward.__globals__
        )

    def __call__(self, batch: dict[str, Tensor]) -> Tensor:
        """Σ_b log p(y_b | x_b), a scalar in at least float32.

        Args:
            batch: what `fggm_lab.models.encoding.collate` returns, on the model's device.

        Returns:
            The scalar, part of autograd's graph if gradients are enabled.
        """
        logits, targets = self.predictions(batch)
        return -nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )

    def predictions(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The logits at the positions that predict answer tokens, and those tokens.

        Args:
            batch: what `fggm_lab.models.encoding.collate` returns, on the model's device; further
                entries are not looked at.

        Returns:
            logits (B, n, vocabulary) in at least float32 and targets (B, n), n the most answer
            tokens of any example; shorter answers are filled up with targets `IGNORED`.
        """
        labels = batch["labels"]
        arguments = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
        if self._takes_positions:
            if "position_ids" in batch:
                arguments["position_ids"] = batch["position_ids"] + self._first_position
            elif not self._first_position:  # the others number each row themselves, as in training
                counted = torch.arange(labels.shape[1], device=labels.device).expand_as(labels)
                arguments["position_ids"] = counted
        predicting, targets = _predictions(labels)
        if self._takes_keep:
            arguments["logits_to_keep"] = predicting
        logits = self._model(**arguments, use_cache=False).logits
        if not self._takes_keep:
            logits = text_logits(logits, labels.shape[1])
            logits = torch.take_along_dim(logits, predicting[..., None], dim=1)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)), targets


def _predictions(labels: Tensor) -> tuple[Tensor, Tensor]:
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


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the `with` block; every module's training flag is restored after."""
    flags = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in flags:
            module.training = training


@contextmanager
def requiring_grad(
    parameters: Iterable[nn.Parameter], trainable: Iterable[nn.Parameter]
) -> Iterator[None]:
    """Inside the `with` block, only `trainable` of all `parameters` require gradients."""
    flags = [(parameter, parameter.requires_grad) for parameter in parameters]
    keep = {id(parameter) for parameter in trainable}
    try:
        for parameter, _ in flags:
            parameter.requires_grad_(id(parameter) in keep)
        with torch.enable_grad():
            yield
    finally:
        for parameter, required in flags:
            parameter.requires_grad_(required)
