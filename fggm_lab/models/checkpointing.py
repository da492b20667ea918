"""Keeping fewer activations for the backward pass, in every version of transformers."""

from typing import Any

from transformers import PreTrainedModel

from fggm_lab.errors import SettingError


def check_checkpointing(model: PreTrainedModel) -> None:
    """Refuse a model whose layers cannot be computed again in the backward pass.

    Args:
        model: a model of transformers.

    Raises:
        SettingError: its family does not know how.
    """
    if not model.supports_gradient_checkpointing:
        raise SettingError(
            f"{type(model).__name__} cannot compute activations again in the backward pass; train "
            "without gradient_checkpointing"
        )


def checkpoint_activations(model: PreTrainedModel, settings: dict[str, Any] | None = None) -> None:
    """Keep only the layers' inputs in training, and compute the rest anew in the backward pass.

    Args:
        model: a model of transformers; changed in place.
        settings: of `torch.utils.checkpoint.checkpoint`; without them it is not reentrant.
    """
    _switch(model, "enable")(settings)


def store_activations(model: PreTrainedModel) -> None:
    """Undo `checkpoint_activations`.

    Args:
        model: a model of transformers; changed in place.
    """
    _switch(model, "disable")()


def _switch(model: PreTrainedModel, action: str) -> Any:
    """The model's method, which later versions of transformers call by another name."""
    renamed = getattr(model, f"activation_checkpointing_{action}", None)
    return renamed or getattr(model, f"gradient_checkpointing_{action}")
