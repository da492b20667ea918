"""Gradient checkpointing while dropout is off.

Transformers applies gradient checkpointing in training mode only, and scoring needs evaluation
mode: here the layers for which the user switched it on are checkpointed in evaluation mode, too.
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
    """Inside the `with` block these layers keep only their inputs for the backward pass."""
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(_wrapped(layer))
        yield


@contextmanager
def _wrapped(layer: nn.Module) -> Iterator[None]:
    instance_forward = vars(layer).get("forward")
    layer.forward = partial(_run, layer.forward)
    try:
        yield
    finally:
        del layer.forward
        if instance_forward is not None:
            layer.forward = instance_forward


def _run(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a layer under a checkpoint, except where a checkpoint would lose a gradient.

    A reentrant checkpoint runs the layer without gradients first, which hooks can notice. It passes
    gradients on to positional arguments only, and only if one of them requires gradients.

    Returns:
        The layer's output.
    """
    requires_grad = any(tensor.requires_grad for tensor in tensors_of(args))
    loses_gradient = any(tensor.requires_grad for tensor in tensors_of(tuple(kwargs.values())))
    if not requires_grad or loses_gradient or not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(partial(forward, **kwargs), *args, use_reentrant=True)
