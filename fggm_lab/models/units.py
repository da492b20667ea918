"""Units: what a mask keeps or freezes, a weight's output row or a vector's entry.

A unit is given by an axis per parameter. Axis 0: a row, (out, in) → out units. Axis 1: a column,
for weights stored (in, out) as GPT-2's Conv1D is. Axis -1: every entry its own unit. Vectors keep
their entries, a scalar is one unit, and a weight of rank 3 or more (experts, out, in) has one unit
for every expert and row.
"""

import math

from torch import Tensor, nn

ENTRY = -1
"""The axis of a parameter whose every entry is its own unit."""


def unit_axes(model: nn.Module) -> dict[str, int]:
    """The axis along which each parameter's output units lie: 1 for Conv1D weights, else 0."""
    transposed = {
        id(module.weight) for module in model.modules() if type(module).__name__ == "Conv1D"
    }
    return {name: int(id(p) in transposed) for name, p in model.named_parameters()}


def other_axis(shape: tuple[int, ...], axis: int) -> int:
    """The axis across the units' own: for a weight 0 ↔ 1; vectors have none and keep theirs."""
    return 1 - axis if len(shape) >= 2 else axis


def unit_count(shape: tuple[int, ...], axis: int) -> int:
    """How many units a parameter of `shape` has."""
    if axis == ENTRY or len(shape) < 2:
        return math.prod(shape)
    across = shape[-1] if axis == 0 else shape[-2]
    return math.prod(shape) // across if across else 0


def as_units(tensor: Tensor, axis: int) -> Tensor:
    """Reshape a parameter to (units, entries per unit); a view where the memory order allows it."""
    if axis == ENTRY or tensor.ndim < 2:
        return tensor.reshape(-1, 1)
    if axis == 1:
        tensor = tensor.transpose(-1, -2)
    return tensor.reshape(-1, tensor.shape[-1])


def broadcast_units(units: Tensor, shape: tuple[int, ...], axis: int) -> Tensor:
    """Reshape a vector with one entry per unit so that it broadcasts over the parameter.

    Args:
        units: (units,), bool or float.
        shape: the parameter's shape.
        axis: the axis that counts the units: 0, 1 or `ENTRY`.

    Returns:
        A view with as many axes as the parameter: (out, 1) for the rows of a weight (out, in), for
        example, (1, out) for the columns of one stored as (in, out).
    """
    if axis == ENTRY or len(shape) < 2:
        return units.reshape(shape)
    if axis == 1:
        return units.reshape(*shape[:-2], 1, shape[-1])
    return units.reshape(*shape[:-1], 1)
