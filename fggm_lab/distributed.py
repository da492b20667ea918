"""The processes of one data-parallel run: rank and world size, and what they tell each other.

`torchrun` and `accelerate launch` start one process for each rank. Inside `world()` their work is
one: each rank takes its share, and results are summed or gathered. Everywhere else, and in a single
process, every function here does nothing: rank 0 of a world of 1.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fggm_lab.errors import LabError, RankError, SettingError, first_line
from fggm_lab.launch import check_launch, launched_local_rank, launched_world_size

Item = TypeVar("Item")

TIMEOUT = timedelta(minutes=30)
"""How long a rank waits for the others before it gives up."""

_BUCKET_BYTES = 2**25
"""The most bytes of gradients that are summed in one operation."""

_DATA_PARALLEL: ContextVar[bool] = ContextVar("data_parallel", default=False)
_STORE: list[dist.Store] = []


# The world


def rank() -> int:
    """This process's number among those that share the work, from 0."""
    return dist.get_rank() if _DATA_PARALLEL.get() else 0


def world_size() -> int:
    """How many processes share the work."""
    return dist.get_world_size() if _DATA_PARALLEL.get() else 1


def is_main() -> bool:
    """Whether this process is the one that writes: rank 0."""
    return rank() == 0


def join() -> None:
    """Meet the other processes of a launch; nothing in a single process, or once it was done.

    Raises:
        SettingError: the launch configuration or a process group that was made before cannot be
            used, there are more processes than GPUs, or the others cannot be reached.
    """
    check_launch()
    if launched_world_size() == 1:
        return
    if dist.is_initialized():
        if "cpu:" not in dist.get_backend_config():
            raise SettingError(
                f"the process group was made with {dist.get_backend_config()}, and some of what "
                "processes tell each other lies on the CPU; make it with "
                "init_process_group('cpu:gloo,cuda:nccl'), or leave making it to the lab"
            )
        return
    local_rank = launched_local_rank()
    if torch.cuda.is_available():
        if local_rank >= torch.cuda.device_count():
            raise SettingError(
                f"process {local_rank} of this machine has no GPU of its own, for there are "
                f"{torch.cuda.device_count()}; start as many processes as GPUs, or hide them with "
                "CUDA_VISIBLE_DEVICES= to train on the CPU"
            )
        torch.cuda.set_device(local_rank)
    try:
        store, number, size = next(dist.rendezvous("env://", timeout=TIMEOUT))
        store.set_timeout(TIMEOUT)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=number, world_size=size, timeout=TIMEOUT)
    except (RuntimeError, ValueError) as problem:
        raise SettingError(
            f"the processes of this launch cannot reach each other ({first_line(problem)}); start "
            "them with torchrun or accelerate launch"
        ) from problem
    _STORE.append(store)


def leave() -> None:
    """Leave the other processes; nothing where none were met."""
    _STORE.clear()
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def world() -> Iterator[None]:
    """Inside, the processes of a launch share the work.

    Yields:
        Nothing.

    Raises:
        RankError: another process ended.
    """
    join()
    if not dist.is_initialized() or dist.get_world_size() == 1 or launched_world_size() == 1:
        yield
        return
    token = _DATA_PARALLEL.set(True)
    try:
        yield
    finally:
        _DATA_PARALLEL.reset(token)


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process shares no work."""
    token = _DATA_PARALLEL.set(False)
    try:
        yield
    finally:
        _DATA_PARALLEL.reset(token)


def has_joined() -> bool:
    """Whether this process has met the others of its launch."""
    return bool(_STORE)


def is_first_to_say(error: LabError) -> bool:
    """Whether this process shall say an error, so that all processes together say it once.

    That others have ended is worth saying only where none of them has said why.

    Args:
        error: what it is about to say.

    Returns:
        Whether no other process has said the same or, where others have ended, anything.
    """
    sentence = hashlib.sha256(str(error).encode()).hexdigest()
    try:
        said_anything = _STORE[0].add("said anything", 1) > 1
        said_this = _STORE[0].add(f"said {sentence}", 1) > 1
    except RuntimeError:  # the process that holds the store has ended
        return True
    return not (said_anything if isinstance(error, RankError) else said_this)


# Sharing work


def share(items: Sequence[Item]) -> list[Item]:
    """This rank's share of some items: every `world_size`-th."""
    return list(items[rank() :: world_size()])


def gathered(items: Sequence[Item], compute: Callable[[list[Item]], Sequence[Any]]) -> list[Any]:
    """Compute one result for each item, each rank for its share.

    Args:
        items: the same on all ranks.
        compute: takes some items, returns as many results; they are pickled.

    Returns:
        All results on all ranks, in the items' order.
    """
    parts = all_gather(list(compute(share(items))))
    results: list[Any] = [None] * len(items)
    for number, part in enumerate(parts):
        results[number :: len(parts)] = part
    return results


def on_main(compute: Callable[[], Item]) -> Item:
    """Compute something on rank 0, and give it to all ranks.

    Args:
        compute: called on rank 0 alone, where it shares no work; its result is pickled.

    Returns:
        The result.

    Raises:
        LabError: what `compute` raised, on all ranks.
    """
    if world_size() == 1:
        return compute()
    outcome: list[Any] = [None]
    if is_main():
        try:
            with alone():
                outcome = [compute()]
        except LabError as error:
            outcome = [_Failure(error)]
    with _talking():
        dist.broadcast_object_list(outcome, src=0)
    if isinstance(outcome[0], _Failure):
        raise outcome[0].error
    result: Item = outcome[0]
    return result


class _Failure:
    """An error on its way to the other ranks."""

    def __init__(self, error: LabError) -> None:
        self.error = error


def barrier() -> None:
    """Wait until all ranks are here."""
    if world_size() > 1:
        with _talking():
            dist.all_reduce(torch.zeros(1))


def all_gather(value: Item) -> list[Item]:
    """The values of all ranks, by rank; they are pickled."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    with _talking():
        dist.all_gather_object(values, value)
    return values


def all_reduce(tensors: Sequence[Tensor]) -> None:
    """Sum tensors over the ranks, in place; each has the same shape on all."""
    if world_size() > 1:
        with _talking():
            for tensor in tensors:
                dist.all_reduce(tensor)


def summed(value: float) -> float:
    """A number's sum over the ranks."""
    total = torch.tensor(value, dtype=torch.float64)
    all_reduce([total])
    return total.item()


def check_same(what: str, value: object) -> None:
    """Refuse to go on where ranks differ in what they must have in common.

    Args:
        what: what it is, in words, for the message.
        value: this rank's.

    Raises:
        RankError: ranks have other values.
    """
    values = all_gather(value)
    different = [number for number, other in enumerate(values) if other != values[0]]
    if different:
        raise RankError(
            f"{what} is another on rank {different[0]} than on rank 0, so their gradients do not "
            "belong together; start all processes on machines of one kind, or train in one process"
        )


@contextmanager
def _talking() -> Iterator[None]:
    """Say in one sentence that another process cannot be reached any more."""
    try:
        yield
    except RuntimeError as problem:  # torch.distributed.DistError is one, gloo's errors are plain
        raise RankError(
            "another process of this run has ended, or does not answer; see what it says, and go "
            "on with resume=True (--resume)"
        ) from problem


# Gradients


def sum_gradients(parameters: Sequence[nn.Parameter]) -> None:
    """Sum the gradients of parameters over the ranks; see `reduce_gradients`."""
    if world_size() > 1:
        with _talking():
            reduce_gradients(parameters, None, 1.0)


@torch.no_grad()
def reduce_gradients(
    parameters: Sequence[nn.Parameter], group: dist.ProcessGroup | None, scale: float
) -> None:
    """Sum gradients over the processes of a group, in place.

    A parameter without a gradient on some rank counts as zero there, and stays without one where no
    rank has any, so that an optimiser passes over it as it does in one process.

    Args:
        parameters: the same on all ranks, in the same order.
        group: the processes; None: all.
        scale: multiplies each gradient before it is summed.
    """
    if not parameters:
        return
    device = parameters[0].device
    present = torch.tensor([float(p.grad is not None) for p in parameters], device=device)
    dist.all_reduce(present, group=group)
    gradients = []
    for parameter, ranks in zip(parameters, present.tolist(), strict=True):
        if ranks:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
    for bucket in _buckets(gradients):
        flat = torch.cat([gradient.flatten() for gradient in bucket])
        if scale != 1.0:
            flat *= scale
        dist.all_reduce(flat, group=group)
        parts = flat.split([gradient.numel() for gradient in bucket])
        for gradient, part in zip(bucket, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors of one type and device, together of at most `_BUCKET_BYTES` or one alone."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        alike = bucket and (tensor.dtype, tensor.device) == (bucket[0].dtype, bucket[0].device)
        if bucket and not (alike and sum(t.nbytes for t in (*bucket, tensor)) <= _BUCKET_BYTES):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket
