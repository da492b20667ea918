"""Building a small model with random weights from a config, and asking how much a model reads."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from fggm_lab.errors import ModelError, SettingError
from fggm_lab.models.positions import first_position
from fggm_lab.settings import DEFAULT_MAX_LENGTH

_CONTEXT_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "max_sequence_length",
    "max_seq_len",
    "seq_length",
    "n_ctx",
)
_DEFAULT_CONTEXT = 2048


def build_model(config: dict[str, Any] | PreTrainedConfig, seed: int) -> PreTrainedModel:
    """Build a causal language model with random float32 weights, in evaluation mode, on the CPU.

    The same config and seed give the same weights; the caller's random numbers are not touched.

    Args:
        config: a transformers config, or a dictionary of its fields with `model_type`.
        seed: of the weights.

    Returns:
        The model.

    Raises:
        ModelError: the config has no or an unknown `model_type`, or its fields contradict.
    """
    try:
        if isinstance(config, dict):
            config = AutoConfig.for_model(**config)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    except (TypeError, ValueError, KeyError) as problem:
        raise ModelError(
            f"no model can be built from this config ({str(problem).splitlines()[0]}); check its "
            "model_type and sizes"
        ) from problem
    return model.eval()


def context_length(model: PreTrainedModel) -> int:
    """The most tokens the model reads at once, by its config; 2048 where that names no limit."""
    return _named_context(model) or _DEFAULT_CONTEXT


def _named_context(model: PreTrainedModel) -> int | None:
    """The most tokens the model reads at once; None where its config names no limit."""
    config = model.config.get_text_config()
    for name in _CONTEXT_NAMES:
        length = getattr(config, name, None)
        if isinstance(length, int) and length > 0:
            return length - first_position(model)
    return None


def checked_length(model: PreTrainedModel, max_length: int | None = None) -> int:
    """The most tokens per example, refused where the model cannot read so many.

    Args:
        model: whose context is the limit, where its config names one.
        max_length: what the user asks for. None: the model's context.

    Returns:
        `max_length`, or the context.

    Raises:
        SettingError: `max_length` is above the context.
    """
    context = _named_context(model)
    if max_length is not None and context is not None and max_length > context:
        raise SettingError(
            f"max_length is {max_length}, and the model has positions for {context} tokens; set "
            f"max_length to {context} or less"
        )
    return max_length or context or _DEFAULT_CONTEXT


def example_length(model: PreTrainedModel, max_length: int | None = None) -> int:
    """The most tokens per example when a model is trained or scored.

    Args:
        model: whose context is the limit.
        max_length: what the user asks for. None: `fggm_lab.settings.DEFAULT_MAX_LENGTH`.

    Returns:
        `max_length`, at most the model's context.
    """
    return min(max_length or DEFAULT_MAX_LENGTH, context_length(model))
