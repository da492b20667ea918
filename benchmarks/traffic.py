"""Bytes that a process gives to the reductions of a data-parallel step: FGGM's ÷ plain DDP's.

They are counted, not timed, and are the same in a world of any size, so one of size 1 will do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.nn.parallel import DistributedDataParallel

from benchmarks.harness import MIB, Column, Report, Row, Settings, Target
from benchmarks.models import Shape, make_batch, make_model, shapes
from fggm_lab.masks import Mask
from fggm_lab.training import ActiveRows

KEEP = 0.3
SHAPES = [Shape("llama", 512, 64), Shape("qwen2", 512, 64, groups=2)]
BYTES = f"bytes reduced in a step at keep {KEEP}, FGGM ÷ plain DDP"


def run(settings: Settings) -> Report:
    """One row per shape: plain DDP, and DDP made after ActiveRows and before."""
    with one_process(settings):
        rows = [measure(shape, settings) for shape in shapes(settings, SHAPES, SHAPES)]
    columns = [
        Column("family", "model"),
        Column("hidden", "hidden", "d"),
        Column("plain_mib", "plain DDP MiB", ".2f"),
        Column("after_mib", "FGGM MiB", ".2f"),
        Column("ratio", "÷", ".3f"),
        Column("before_mib", "DDP made first MiB", ".2f"),
    ]
    return Report(
        "Bytes that one process gives to be summed in a step of DistributedDataParallel",
        columns,
        rows,
        [Target(BYTES, max(row["ratio"] for row in rows), 0.31)],
        [
            "Every parameter is masked, by a random mask of its units (scope layer).",
            "DDP made first: before ActiveRows, so that zeros travel for what has a stand-in.",
        ],
    )


@contextmanager
def one_process(settings: Settings) -> Iterator[None]:
    """A process group of this process alone."""
    backend = "nccl" if settings.device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


def measure(shape: Shape, settings: Settings) -> Row:
    """Count the bytes of a step in each of the three ways."""
    counts = {
        "plain_mib": reduced_bytes(shape, settings, None),
        "after_mib": reduced_bytes(shape, settings, "after"),
        "before_mib": reduced_bytes(shape, settings, "before"),
    }
    mib = {name: count / MIB for name, count in counts.items()}
    return shape.row | mib | {"ratio": counts["after_mib"] / counts["plain_mib"]}


def reduced_bytes(shape: Shape, settings: Settings, ddp_is_made: str | None) -> int:
    """The bytes of the second step, when DDP has met the model and settled its buckets.

    Args:
        shape: of the model and the batch.
        settings: where.
        ddp_is_made: `after` ActiveRows or `before`; None: without ActiveRows.

    Returns:
        Of all tensors given to be summed.
    """
    model, batch = make_model(shape, settings), make_batch(shape, settings)
    ddp = DistributedDataParallel(model) if ddp_is_made != "after" else None
    rows = None if ddp_is_made is None else ActiveRows(model, Mask.random(model, KEEP))
    ddp = ddp or DistributedDataParallel(model)
    ddp.register_comm_hook(None, allreduce_hook)  # it calls what is counted
    for _ in range(2):
        with counted() as traffic:
            ddp(**batch, use_cache=False).loss.backward()
        model.zero_grad()
    if rows is not None:
        rows.close()
    return traffic.bytes


@dataclass
class Traffic:
    """The bytes of the tensors that this process gave to be summed."""

    bytes: int = 0


@contextmanager
def counted() -> Iterator[Traffic]:
    """Count what `torch.distributed.all_reduce` is given while inside."""
    traffic, plain = Traffic(), dist.all_reduce

    def all_reduce(tensor: Tensor, *arguments: Any, **more: Any) -> Any:
        traffic.bytes += tensor.nbytes
        return plain(tensor, *arguments, **more)

    dist.all_reduce = all_reduce
    try:
        yield traffic
    finally:
        dist.all_reduce = plain
