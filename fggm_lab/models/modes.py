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
