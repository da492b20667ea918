"""log p(answer | prompt) of a batch, and whether a model gives one: it is causal."""

import inspect
import math
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError
from fggm_lab.models.answer_logits import answer_positions, logits_at
from fggm_lab.models.encoding import IGNORED, text_logits
from fggm_lab.models.loss import differ, probe_ids
from fggm_lab.models.modes import evaluating
from fggm_lab.models.positions import first_position
from fggm_lab.models.token_counts import uncounted

LONGER_TEXT, SHORTER_TEXT = 8, 5
"""The tokens of the two texts that a model is tried on, the shorter one the beginning of the longer
one: by `sees_later_tokens`, and by the questions of `fggm-lab check`."""

_SEES_LATER_TOKENS: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


class AnswerLikelihood:
    """Computes the summed log-likelihood of a batch's answers, with the head only where needed."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Looks at what the model's forward accepts.

        Args:
            model: a causal language model of transformers.
        """
        self._model = model
        names = inspect.signature(inspect.unwrap(type(model).forward)).parameters
        self._takes_positions = "position_ids" in names
        self._first_position = first_position(model)

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
        positions, targets = answer_positions(labels)
        _, logits = logits_at(self._model, arguments, positions)
        return logits.to(torch.promote_types(logits.dtype, torch.float32)), targets


def sees_later_tokens(model: PreTrainedModel) -> bool:
    """Whether a model's prediction of a token depends on that token, or on later ones.

    XLNet's does without a permutation mask. Such a model has no likelihood of an answer: it has
    read the answer before it predicts it. Two texts, of which the shorter is the beginning of the
    longer, must have the same first predictions. The answer is kept for each model.

    Args:
        model: a causal language model of transformers; its training flags come back.

    Returns:
        True if later tokens change a prediction by more than rounding.
    """
    if model not in _SEES_LATER_TOKENS:
        _SEES_LATER_TOKENS[model] = _predictions_differ(model)
    return _SEES_LATER_TOKENS[model]


def check_causal(model: PreTrainedModel) -> None:
    """Refuse a model whose predictions of a token depend on that token.

    Args:
        model: a causal language model of transformers.

    Raises:
        ModelError: it reads the answer before it predicts it.
    """
    if sees_later_tokens(model):
        raise ModelError(
            f"{type(model).__name__} reads an answer before it predicts it (later tokens change "
            "its earlier predictions), so its likelihoods and losses mean nothing; use a "
            "model that reads from left to right"
        )


@uncounted()  # a question about the model, asked once
@torch.no_grad()
def _predictions_differ(model: PreTrainedModel) -> bool:
    ids = torch.tensor([probe_ids(model, LONGER_TEXT)], device=model.device)
    with evaluating(model):
        longer, shorter = (
            text_logits(
                model(
                    input_ids=ids[:, :length],
                    attention_mask=torch.ones_like(ids[:, :length]),
                    use_cache=False,
                ).logits,
                length,
            )[:, :SHORTER_TEXT]
            .float()
            .log_softmax(-1)
            for length in (LONGER_TEXT, SHORTER_TEXT)
        )
    difference, size = float((longer - shorter).norm()), float(shorter.norm())
    # Numbers that are not finite are the fault of the weights, and reported where they are scored.
    return math.isfinite(difference) and differ(size + difference, size, model.dtype)
