"""A short name for a model's exact weights, to tell whether a record belongs to it."""

import hashlib

import torch
from torch import nn


def fingerprint(model: nn.Module) -> str:
    """The first 16 hex digits of SHA-256 over every parameter's name, dtype, shape and bytes.

    The device does not matter; a single changed bit does.

    Args:
        model: any module.

    Returns:
        16 hex digits.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(f"{name}:{parameter.dtype}:{tuple(parameter.shape)};".encode())
        # A copy, for NumPy pins the memory that it looks at, and FSDP has to give it back.
        values = parameter.detach().to("cpu", copy=True).contiguous()
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]
