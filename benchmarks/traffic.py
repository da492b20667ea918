"""How many bytes one process gives to the reductions of a data-parallel step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel


@dataclass
class Traffic:
    """What was counted.

    Attributes:
        bytes: of the tensors that this process gave to be summed.
    """

    bytes: int = 0


@contextmanager
def counted_bytes(ddp: DistributedDataParallel) -> Iterator[Traffic]:
    """Count what DDP and `torch.distributed.all_reduce` sum while inside.

    Args:
        ddp: without a communication hook; it keeps the default one.

    Yields:
        The counts, which grow.
    """
    traffic = Traffic()

    plain = dist.all_reduce

    def counted(tensor: Tensor, *arguments: Any, **more: Any) -> Any:
        traffic.bytes += tensor.nbytes
        return plain(tensor, *arguments, **more)

    ddp.register_comm_hook(None, allreduce_hook)  # it calls what is counted here
    dist.all_reduce = counted
    try:
        yield traffic
    finally:
        dist.all_reduce = plain
