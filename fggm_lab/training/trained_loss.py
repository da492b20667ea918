"""Whether the loss that a Trainer trains is the one that scores are of."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from fggm_lab.errors import SettingError
from fggm_lab.models.encoding import text_logits
from fggm_lab.models.loss import answer_loss, differ, router_loss
from fggm_lab.models.modes import evaluating


@torch.no_grad()
def check_trained_loss(trainer: Trainer, batch: Mapping[str, Any], remedy: str) -> None:
    """Refuse to score the likelihood of labels where the Trainer teaches something else.

    Its loss of one batch is compared with the mean negative log-likelihood of the labels, so that
    it does not matter how the loss is made: by the model, `compute_loss_func`, label smoothing or a
    Trainer of another class.

    Args:
        trainer: that begins to train.
        batch: as its collator makes it, with `input_ids`.
        remedy: what to do where the losses differ.

    Raises:
        SettingError: they differ by more than rounding.
    """
    model: Any = trainer.model
    inputs = {
        name: value.to(model.device) if isinstance(value, Tensor) else value
        for name, value in batch.items()
    }
    labels = inputs.get("labels", inputs["input_ids"])
    with evaluating(model):
        trained, outputs = trainer.compute_loss(model, dict(inputs), return_outputs=True)
        if getattr(outputs, "logits", None) is None:
            outputs = model(**{n: value for n, value in inputs.items() if n != "labels"})
    expected = answer_loss(text_logits(outputs.logits, labels.shape[1]), labels)
    router = router_loss(model, outputs)
    expected = expected if router is None else expected + router
    half = trainer.args.bf16 or trainer.args.fp16
    if differ(float(trained), float(expected), torch.bfloat16 if half else model.dtype):
        raise SettingError(
            f"the Trainer's loss on a row of its training set is {float(trained):.4g}, and what is "
            f"scored, the mean negative log-likelihood of its labels, {float(expected):.4g}: the "
            "Trainer teaches something else (label smoothing, a loss of its own, or a model that "
            f"learns to copy); {remedy}"
        )
