"""Gradient checkpointing while dropout is off.

Transformers checkpoints in training mode only, and scoring needs evaluation mode: here the layers
whose user switched checkpointing on are checkpointed all the same.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from fggm_lab.fisher.module_call import tensors_of


def checkpointed(model: nn.Module) -> list[nn.Module]:
    """The layers with checkpointing switched on."""
    return [
        module
        for module in model.modules()
        if isinstance(module, GradientCheckpointingLayer) and module.gradient_checkpointing
    ]


@contextmanager
def checkpointing(layers: Iterable[nn.Module]) -> Iterator[None]:
    """Inside, these layers keep their inputs and nothing else."""
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_wrapped(layer))
        yield


@contextmanager
def _wrapped(layer: nn.Module) -> Iterator[None]:
    own = vars(layer).get("forward")
    layer.forward = partial(_run, layer.forward)
    try:
        yield
    finally:
        del layer.forward
        if own is not None:
            layer.forward = own


def _run(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The layer's output; kept piecemeal only where a checkpoint would lose a gradient.

    A reentrant checkpoint runs the layer without gradients first and hooks can tell; it passes
    gradients on to positional arguments alone, and only if one of them asks for them.
    """
    asks = any(tensor.requires_grad for tensor in tensors_of(args))
    loses = any(tensor.requires_grad for tensor in tensors_of(tuple(kwargs.values())))
    if not asks or loses or not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(partial(forward, **kwargs), *args, use_reentrant=True)
