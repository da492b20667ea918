"""States of a model for the length of a `with` block, put back as they were after it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn


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
def seeded(model: nn.Module, seed: int) -> Iterator[None]:
    """Inside the `with` block torch draws from `seed` on; its generators go on as before after."""
    device = next(model.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


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
