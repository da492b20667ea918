"""Units: what a mask keeps or freezes, an output of a weight or a vector's entry.

A unit is given by an axis per parameter, one of

- `ROW`: a row, (out, in) → out units; of stacked weights (experts, out, in) every expert's rows.
- `COLUMN`: a column, for weights stored (in, out) as GPT-2's Conv1D is, or (experts, in, out).
- `LEADING`: an index of the first axis, for a convolution's kernels (out, in / groups, k).
- `TRAILING`: an index of all axes but the first, for projections stored (in, heads, width).
- `SECOND`: an index of the second axis, for a transposed convolution's kernels (in, out, k).
- `VECTORS`: every entry, for stacked vectors: the biases (experts, out) of stacked weights.
- `ENTRY`: every entry of any parameter, an ablation.

Vectors keep their entries, whatever their axis, and a scalar is one unit.
"""

import math

from torch import Tensor, nn

ROW, COLUMN, LEADING, TRAILING, SECOND = 0, 1, 2, 3, 4

ENTRY = -1
"""The axis of a parameter whose every entry is its own unit."""

VECTORS = -2
"""The axis of stacked vectors, whose every entry is an output."""

_OTHER_AXES = {
    ROW: COLUMN,
    COLUMN: ROW,
    LEADING: TRAILING,
    TRAILING: LEADING,
    SECOND: LEADING,
}

_KNOWN_LAYOUTS: dict[str, dict[str, int]] = {
    "Conv1D": {"weight": COLUMN},
    "DbrxExpertGLU": {"w2": COLUMN},
    "Llama4TextExperts": {"gate_up_proj": COLUMN, "down_proj": COLUMN},
    "RecurrentGemmaRglru": {
        "input_gate_weight": COLUMN,
        "input_gate_bias": VECTORS,
        "recurrent_gate_weight": COLUMN,
        "recurrent_gate_bias": VECTORS,
    },
    "XLNetRelativeAttention": {
        **dict.fromkeys("qkvr", TRAILING),
        "o": LEADING,
        **dict.fromkeys(("r_r_bias", "r_s_bias", "r_w_bias", "seg_embed"), VECTORS),
    },
    "InklingSharedExperts": dict.fromkeys(("gate_proj", "up_proj", "down_proj"), ROW),
    "LongcatFlashExperts": dict.fromkeys(("gate_up_proj", "down_proj"), ROW),
    "ZambaMambaMixer": {
        **dict.fromkeys(("x_proj_weight", "dt_proj_weight", "A_log"), ROW),
        "dt_proj_bias": VECTORS,
    },
}
"""Axes that cannot be told from a module's base class or attributes: class name → parameter."""

_STACKED_LINEAR = ("ParallelExperts", "FlexibleLinear")
"""How the names of classes end that keep one stacked weight (experts, out, in), called `weight`."""

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def unit_axes(model: nn.Module) -> dict[str, int]:
    """The axis along which each parameter's output units lie."""
    return {name: ROW if axis is None else axis for name, axis in _axes_if_known(model).items()}


def unknown_layouts(model: nn.Module) -> list[str]:
    """Parameters of rank 3 and more of which it is not known which axes are outputs.

    Their units are taken to be rows, as those of weights (experts, out, in).

    Args:
        model: any model.

    Returns:
        Their names.
    """
    return [name for name, axis in _axes_if_known(model).items() if axis is None]


def _axes_if_known(model: nn.Module) -> dict[str, int | None]:
    axes: dict[int, int | None] = {}
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and not axes.get(id(parameter)):  # a shared one: not ROW wins
                axes[id(parameter)] = _axis(module, name, tuple(parameter.shape))
    return {name: axes[id(parameter)] for name, parameter in model.named_parameters()}


def _axis(module: nn.Module, name: str, shape: tuple[int, ...]) -> int | None:
    """The axis of one parameter of a module, None where it cannot be known."""
    layout = _KNOWN_LAYOUTS.get(type(module).__name__, {})
    if name in layout:
        return layout[name]
    transposed = getattr(module, "is_transposed", None)  # of transformers' experts
    if isinstance(transposed, bool) and getattr(module, "has_gate", None) is not None:
        if name.endswith("_bias") and len(shape) == 2:
            return VECTORS
        if len(shape) == 3:
            return COLUMN if transposed else ROW
    if len(shape) < 3:
        return ROW
    if isinstance(module, _CONVOLUTIONS):
        # of a depthwise kernel (out, 1, k) the rows are the channels
        return LEADING if math.prod(shape[1:-1]) > 1 else ROW
    if isinstance(module, _TRANSPOSED):
        if module.groups == 1:
            return SECOND
        # (in, out / groups, k): one output's entries, of some groups, are no slice along one axis
        return LEADING if shape[1] == 1 and module.groups == shape[0] else None
    if math.prod(shape[:-1]) == 1:  # one vector, with axes of length 1 for broadcasting
        return VECTORS
    if sum(size > 1 for size in shape) < 3:
        return ROW
    if type(module).__name__.endswith(_STACKED_LINEAR) and name == "weight":
        return ROW
    return None


def other_axis(shape: tuple[int, ...], axis: int) -> int:
    """The axis across the units' own: for a weight 0 ↔ 1; vectors have none and keep theirs."""
    return _OTHER_AXES.get(axis, axis) if len(shape) >= 2 else axis


def unit_count(shape: tuple[int, ...], axis: int) -> int:
    """How many units a parameter of `shape` has."""
    if axis in (ENTRY, VECTORS) or len(shape) < 2:
        return math.prod(shape)
    if axis == LEADING:
        return shape[0]
    if axis == TRAILING:
        return math.prod(shape[1:])
    if axis == SECOND:
        return shape[1]
    across = shape[-1] if axis == ROW else shape[-2]
    return math.prod(shape) // across if across else 0


def as_units(tensor: Tensor, axis: int) -> Tensor:
    """Reshape a parameter to (units, entries per unit); a view where the memory order allows it."""
    if axis in (ENTRY, VECTORS) or tensor.ndim < 2:
        return tensor.reshape(-1, 1)
    if axis == LEADING:
        return tensor.flatten(1)
    if axis == TRAILING:
        return tensor.flatten(1).T
    if axis == SECOND:
        return tensor.transpose(0, 1).flatten(1)
    if axis == COLUMN:
        tensor = tensor.transpose(-1, -2)
    return tensor.reshape(-1, tensor.shape[-1])


def broadcast_units(units: Tensor, shape: tuple[int, ...], axis: int) -> Tensor:
    """Reshape a vector with one entry per unit so that it broadcasts over the parameter.

    Args:
        units: (units,), bool or float.
        shape: the parameter's shape.
        axis: the axis that counts the units.

    Returns:
        A view with as many axes as the parameter: (out, 1) for the rows of a weight (out, in), for
        example, (1, out) for the columns of one stored as (in, out).
    """
    if axis in (ENTRY, VECTORS) or len(shape) < 2:
        return units.reshape(shape)
    if axis == LEADING:
        return units.reshape(shape[0], *(1 for _ in shape[1:]))
    if axis == TRAILING:
        return units.reshape(1, *shape[1:])
    if axis == SECOND:
        return units.reshape(1, shape[1], *(1 for _ in shape[2:]))
    if axis == COLUMN:
        return units.reshape(*shape[:-2], 1, shape[-1])
    return units.reshape(*shape[:-1], 1)
