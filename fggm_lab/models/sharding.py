"""Models that FSDP2 (`fully_shard`) has cut into shards: this rank's part, and the whole of it.

Each parameter is a `DTensor`: it has the shape of the whole, and holds the rows of this rank. What
is done row by row (a mask, frozen values put back) is done to the rows that are here. What needs
whole weights on a rank, as the Fisher pass does, gathers them for the time being.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import (  # it has no public name
    compute_local_shape_and_global_offset,
)

from fggm_lab.errors import ModelError


def is_sharded(model: nn.Module) -> bool:
    """Whether a model's parameters lie in shards on several ranks."""
    return any(isinstance(parameter, DTensor) for parameter in model.parameters())


def local(tensor: Tensor) -> Tensor:
    """This rank's shard of a tensor, sharing its memory; a plain tensor is all here."""
    if not isinstance(tensor, DTensor):
        return tensor.detach()
    with torch.no_grad():
        return tensor.to_local()


def local_slices(tensor: Tensor) -> tuple[slice, ...]:
    """Which part of the whole tensor this rank's shard is, one slice per axis."""
    if not isinstance(tensor, DTensor):
        return (slice(None),) * tensor.ndim
    shape, offsets = compute_local_shape_and_global_offset(
        tensor.shape, tensor.device_mesh, tensor.placements
    )
    return tuple(slice(start, start + size) for start, size in zip(offsets, shape, strict=True))


def local_part(entries: Tensor, tensor: Tensor) -> Tensor:
    """The part of some entries that belongs to this rank's shard of a tensor.

    Args:
        entries: plain, in a shape that broadcasts over the whole tensor.
        tensor: plain or sharded.

    Returns:
        In a shape that broadcasts over the shard.
    """
    slices = local_slices(tensor)[tensor.ndim - entries.ndim :]
    return entries[
        tuple(
            slice(None) if size == 1 else part
            for size, part in zip(entries.shape, slices, strict=True)
        )
    ]


@contextmanager
def whole_weights(model: nn.Module) -> Iterator[None]:
    """Inside, every rank of a sharded model has its whole weights, as plain parameters.

    A forward or backward pass of one rank is no business of the others there: nothing is gathered
    and no gradient is reduced. A rank needs memory for all the weights, but for no more gradients
    or optimiser state than before. Nothing happens to a model that is not sharded.

    Args:
        model: on all ranks, which have to enter and leave together.

    Yields:
        Nothing. Afterwards the model is sharded as before, and gives whole weights back after each
        forward pass, as is torch's default.

    Raises:
        ModelError: it is sharded otherwise than by `fully_shard`, or torch is too old.
    """
    modules = [module for module in model.modules() if isinstance(module, FSDPModule)]
    if is_sharded(model) and not modules:
        raise ModelError(
            "the model's parameters are sharded, and not by fully_shard, so their whole weights "
            "cannot be gathered; score the model before it is sharded"
        )
    if modules and not hasattr(FSDPModule, "set_reshard_after_forward"):
        raise ModelError(
            f"torch {torch.__version__} cannot hold back what FSDP sends between ranks; score the "
            "model before fully_shard, or install torch 2.8 or later"
        )
    for module in modules:
        _communicate(module, False)
        module.unshard()
    try:
        yield
    finally:
        for module in modules:
            _communicate(module, True)
            module.reshard()


def _communicate(module: FSDPModule, active: bool) -> None:
    """Whether passes through a module gather its weights and reduce its gradients."""
    module.set_reshard_after_forward(active, recurse=False)
    module.set_reshard_after_backward(active, recurse=False)
    module.set_requires_gradient_sync(active, recurse=False)
