"""The gradient of a parameter that lies on its stand-in, seen as one of the parameter's shape.

Loops clip `model.parameters()`, clear `model.zero_grad()` and log norms of `p.grad`. Where only
active units have a gradient, this tensor in the parameter's `.grad` lets them: its norm is that of
the active units, what scales it scales them, and whatever else is done to it is refused.
"""

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from fggm_lab.errors import SettingError

_aten: Any = torch.ops.aten
_ON_ROWS = frozenset(
    {
        _aten.linalg_vector_norm.default,
        _aten._foreach_norm.Scalar,
        _aten.mul_.Tensor,
        _aten.mul_.Scalar,
        _aten._foreach_mul_.Tensor,
        _aten._foreach_mul_.Scalar,
        _aten.div_.Tensor,
        _aten.div_.Scalar,
        _aten.clamp_.default,
        _aten._foreach_clamp_min_.Scalar,
        _aten._foreach_clamp_max_.Scalar,
        _aten.zero_.default,
        _aten._foreach_zero_.default,
    }
)
"""What does to the whole gradient, zero in frozen units, what it does to the active units."""


class HasActiveUnits(Protocol):
    """A parameter and the stand-in that carries the gradient of its active units."""

    @property
    def parameter(self) -> nn.Parameter: ...
    @property
    def active(self) -> nn.Parameter: ...
    def select(self, tensor: Tensor) -> Tensor: ...


class RowsGradient(Tensor):
    """A gradient of a parameter's shape that holds no memory of its own."""

    units: HasActiveUnits

    @staticmethod
    def __new__(cls, units: HasActiveUnits) -> "RowsGradient":
        """Args:
        units: the parameter, and where its gradient lies.
        """
        like = units.parameter
        gradient = Tensor._make_wrapper_subclass(
            cls, like.shape, dtype=like.dtype, device=like.device
        )
        gradient.units = units
        return gradient

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"RowsGradient(of {len(self._rows)} active units of shape {tuple(self.shape)})"

    @property
    def _rows(self) -> Tensor:
        active = self.units.active
        return active.new_zeros(active.shape) if active.grad is None else active.grad

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # of a static method, in torch's stubs
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        first = args[0]
        if func is _aten.detach.default:
            return cls(first.units)
        if func is _aten.add_.Tensor and isinstance(first, cls) and not isinstance(args[1], cls):
            first.accumulate(args[1])  # autograd, for a use that computes the whole gradient
            return first
        if func not in _ON_ROWS:
            raise SettingError(
                f"{func} cannot work with the gradient of active rows: attach the optimiser "
                "(rows.attach(optimizer)), and read gradients from rows.parameters(); after "
                "training, close ActiveRows"
            )
        rows = tree_map(lambda leaf: leaf._rows if isinstance(leaf, cls) else leaf, (args, kwargs))
        out = func(*rows[0], **(rows[1] or {}))
        return first if func._schema.is_mutable else out

    def accumulate(self, gradient: Tensor) -> None:
        """Add a whole gradient's active units."""
        active, part = self.units.active, self.units.select(gradient).to(self.units.active.dtype)
        active.grad = part if active.grad is None else active.grad + part
