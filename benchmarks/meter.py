"""How long a call takes, and how much memory it needs on top of what was there."""

import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

Call = Callable[[], object]


def seconds(call: Call, device: torch.device) -> float:
    """The wall time of one call, its work on the device finished."""
    _wait(device)
    start = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - start


def peak_bytes(call: Call, device: torch.device) -> int:
    """The most bytes of tensors alive at once during the call, beyond those alive at its start.

    On a GPU the allocator counts. On the CPU every operator's results are followed from their
    making to their end, in the backward pass, too: the same call always gives the same number.
    Work space that a kernel takes and returns within one operator is not seen there.

    Args:
        call: what to measure.
        device: where it works.

    Returns:
        Bytes.
    """
    gc.collect()
    if device.type == "cuda":
        _wait(device)
        torch.cuda.reset_peak_memory_stats(device)
        start = torch.cuda.memory_allocated(device)
        call()
        return torch.cuda.max_memory_allocated(device) - start
    with _LiveBytes() as live:
        call()
    return live.peak


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class _LiveBytes(TorchDispatchMode):
    """Adds up the storages made while the mode is on, each until its last tensor is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = kwargs or {}
        for tensor in _tensors((args, keywords)):
            self._meet(tensor, counts=False)  # made before: views of it are not new
        out = func(*args, **keywords)
        for tensor in _tensors(out):
            self._meet(tensor, counts=True)
        return out

    def _meet(self, tensor: Tensor, counts: bool) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._sizes:
            return
        self._sizes[key] = size = storage.nbytes() if counts else 0
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self._now -= self._sizes.pop(key)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
