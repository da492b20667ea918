"""How many bytes of tensors a computation keeps alive at once."""

import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class MemoryMeter(TorchDispatchMode):
    """Counts the bytes of the tensors made inside its `with` block, on any device.

    What an operator allocates and frees within itself is not seen.

    Attributes:
        live: bytes alive now.
        peak: the most bytes alive at once.
    """

    def __init__(self, existing: Iterable[Tensor]) -> None:
        """Args:
        existing: tensors that were there before and are not to be counted.
        """
        super().__init__()
        self.live = self.peak = 0
        self._storages = {t.untyped_storage()._cdata for t in existing}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._count(leaf)
        return out

    def forget_peak(self) -> None:
        """Begin a new peak, at what is alive now."""
        self.peak = self.live

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata in self._storages:
            return
        self._storages.add(storage._cdata)
        self.live += storage.nbytes()
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())

    def _forget(self, key: int, size: int) -> None:
        self._storages.discard(key)
        self.live -= size
