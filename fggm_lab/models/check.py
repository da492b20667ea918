"""Refusing, in one sentence, what is no causal language model in one piece."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from fggm_lab.errors import ModelError

_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
_OTHER_HEADS = re.compile(r"Classification|QuestionAnswering|MultipleChoice")


def has_adapters(model: nn.Module) -> bool:
    """Whether a model carries adapters of peft, by its wrapper or put in by transformers."""
    return bool(
        getattr(model, "peft_config", None) or getattr(model, "_hf_peft_config_loaded", False)
    )


def check_without_adapters(model: nn.Module) -> None:
    """Refuse a model with adapters of peft, for a run saves and loads whole models between tasks.

    peft writes a model's adapters alone, and of some (p-tuning) only what they compute.

    Args:
        model: to be trained through a sequence of tasks.

    Raises:
        ModelError: it has adapters.
    """
    if has_adapters(model):
        raise ModelError(
            "the model carries adapters of peft, and a run stores whole models between its tasks; "
            "merge them (model.merge_and_unload()) or pass the model without them and let method "
            "'lora' put its own in; FGGMCallback trains adapters in a Trainer"
        )


def check_whole_gradients(model: nn.Module) -> None:
    """Refuse a model whose layers compute the gradient of some of their units alone.

    Args:
        model: whose weights' gradients are read.

    Raises:
        ModelError: `ActiveRows` is open on it.
    """
    forwards = (module.__dict__.get("forward") for module in model.modules())
    if any(getattr(forward, "active_units_only", False) for forward in forwards):
        raise ModelError(
            "ActiveRows is open on the model, whose frozen units have no gradient to score; score "
            "it before or after, or in between inside `with rows.plain():`"
        )


def check_language_model(model: Any, tokenizer: PreTrainedTokenizerBase | None = None) -> None:
    """Refuse a model that cannot be scored or trained as a causal language model.

    Args:
        model: to be scored, trained or evaluated. One that peft or `torch.compile` wraps is judged
            by the model inside.
        tokenizer: the model's; every token it can write must have an embedding. None: not checked.

    Raises:
        ModelError: the model is wrapped for several devices, has an encoder that reads the prompt,
            has no language modelling head, is not wholly in memory, or has fewer embedding rows
            than the tokenizer has tokens.
    """
    kind = type(model).__name__
    if isinstance(model, _PARALLEL):
        raise ModelError(
            f"the model is wrapped by {kind}; pass the model inside, model.module, which is used "
            "on one device"
        )
    inner = getattr(model, "_orig_mod", model)
    inner = inner.get_base_model() if hasattr(inner, "get_base_model") else inner
    kind = type(inner).__name__
    config = getattr(inner, "config", None)
    if config is None:
        raise ModelError(
            f"{kind} has no config, so it is no model of transformers; pass a causal language "
            "model, as load_model or AutoModelForCausalLM gives it"
        )
    arguments = inspect.signature(type(inner).forward).parameters
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in arguments:
        raise ModelError(
            f"{kind} is an encoder-decoder model, and a causal language model is needed, which "
            "reads prompt and answer as one sequence; load one with AutoModelForCausalLM"
        )
    if _OTHER_HEADS.search(kind) or ("labels" not in arguments and not _has_output(inner)):
        raise ModelError(
            f"{kind} has no language modelling head; load the model with AutoModelForCausalLM"
        )
    for name, parameter in inner.named_parameters():
        if parameter.is_meta:
            raise ModelError(
                f"parts of the model are not in memory ({name} is offloaded); load it whole onto "
                "one device, without device_map"
            )
    _check_vocabulary(inner, tokenizer)


def check_trainable_dtype(model: nn.Module) -> None:
    """Refuse to train weights in float16.

    AdamW's eps, 1e-8, is 0 in float16, so that a weight without a gradient becomes 0 / 0, and
    gradients below 6e-8 are 0. Scoring and evaluating such a model is fine.

    Args:
        model: to be trained.

    Raises:
        ModelError: a parameter that trains is in float16.
    """
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.dtype == torch.float16:
            raise ModelError(
                f"{name} is in float16, in which AdamW's eps and small gradients are 0, so that "
                "training ends in NaN; load the model in bfloat16 or float32"
            )


def unread_weights(info: Mapping[str, Any]) -> set[str]:
    """The parameters that no stored weight filled, by what `from_pretrained` says of its loading.

    Args:
        info: its `output_loading_info`.

    Returns:
        Names of weights that are missing, or of another shape than the config says.
    """
    return {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}


def _has_output(model: Any) -> bool:
    """Whether transformers knows a layer that makes the logits."""
    get_output = getattr(model, "get_output_embeddings", None)
    return get_output is not None and get_output() is not None


def _check_vocabulary(model: Any, tokenizer: PreTrainedTokenizerBase | None) -> None:
    if tokenizer is None or not hasattr(model, "get_input_embeddings"):
        return
    try:
        rows = model.get_input_embeddings().weight.shape[0]
    except (AttributeError, NotImplementedError):  # a model with an embedding of another kind
        return
    if len(tokenizer) > rows:
        raise ModelError(
            f"the tokenizer has {len(tokenizer)} tokens, and the model {rows} embedding rows; "
            "after adding tokens call model.resize_token_embeddings(len(tokenizer))"
        )
