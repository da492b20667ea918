"""Quantised weights: integers or floats of 8 bits or less, which no gradient step can change."""

from typing import Any

from torch import nn

from fggm_lab.errors import ModelError
from fggm_lab.models.check import has_adapters

_REMEDY = (
    "load the model unquantised (name the original folder, or dequantise it and save it again), "
    "or train a LoRA adapter on it with peft"
)


def check_config_unquantised(config: Any, source: object) -> None:
    """Refuse a model to be trained by its config, before its weights are read.

    Args:
        config: the model's.
        source: what the message calls the model.

    Raises:
        ModelError: the config says that the weights are quantised.
    """
    if (method := _method(config)) is not None:
        raise ModelError(
            f"the weights of {source} are quantised ({method}), and quantised weights cannot be "
            f"trained; {_REMEDY}"
        )


def check_unquantised(model: nn.Module) -> None:
    """Refuse a model whose own weights are quantised and which has no adapter to train instead.

    Args:
        model: to be trained or scored; a model with adapters of peft passes, whatever its base.

    Raises:
        ModelError: its weights are quantised, by its config or by their types.
    """
    if has_adapters(model):
        return
    check_config_unquantised(getattr(model, "config", None), "the model")
    for name, parameter in model.named_parameters():
        if parameter.element_size() == 1:  # of smaller numbers two or more share a byte
            number_type = str(parameter.dtype).removeprefix("torch.")
            raise ModelError(
                f"the weights of the model are quantised ({name} is {number_type}), and quantised "
                f"weights cannot be trained; {_REMEDY}"
            )


def _method(config: Any) -> str | None:
    """The quantisation that a config names, None if it names none."""
    settings = getattr(config, "quantization_config", None)
    if settings is None:
        return None
    method = (settings if isinstance(settings, dict) else vars(settings)).get(
        "quant_method"
    ) or "quantization_config"
    return str(getattr(method, "value", method))
