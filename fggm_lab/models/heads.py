"""Attention heads: which units of the query, key, value and output projections each head has.

A head's query, key and value are outputs of their projections, rows of the weights; under
grouped-query attention several query heads share one key and value head. Of the output projection
a head has inputs, columns of the weight, which read what the head attended to.
"""

import re
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError, SettingError
from fggm_lab.models.names import split_name
from fggm_lab.models.unit_table import UnitTable
from fggm_lab.models.units import ENTRY, as_units, other_axis, unit_axes, unit_count

Projection = Literal["query", "key", "value", "output"]
"""The projections of attention."""
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)

HeadUnits = dict[Projection, dict[int, Tensor]]
"""Projection → layer → (heads, n): the values of the units of each head; of keys and values under
grouped-query attention (key-value heads, n)."""


class HeadLayout(NamedTuple):
    """How many attention heads every layer has, and how wide they are.

    Attributes:
        heads: query heads.
        groups: key-value heads; query head h reads key-value head h // (heads // groups).
        width: entries of a head's query, key and value.
    """

    heads: int
    groups: int
    width: int


class HeadPart(NamedTuple):
    """A parameter of attention, or the part of it that is one projection.

    Attributes:
        name: the parameter's.
        layer: the layer it is in.
        projection: what it makes of its input.
        axis: the axis along which the heads lie (`fggm_lab.models.units`).
        units: (heads, width) the indices of each head's units along that axis.
    """

    name: str
    layer: int
    projection: Projection
    axis: int
    units: Tensor


_NAMES: dict[str, Projection] = {
    "q_proj": "query", "k_proj": "key", "v_proj": "value",
    "query": "query", "key": "key", "value": "value",
    "o_proj": "output", "out_proj": "output", "c_proj": "output", "dense": "output",
}  # fmt: skip
"""The name of a projection inside a module of attention → what it is."""

_FUSED = {
    "gpt2": ("c_attn", False),
    "openai-gpt": ("c_attn", False),
    "phi3": ("qkv_proj", False),
    "gpt_neox": ("query_key_value", True),
    "bloom": ("query_key_value", True),
    "persimmon": ("query_key_value", True),
}
"""Family → the name of its one projection for queries, keys and values, and whether each head's
query, key and value follow one another; else all queries come first, then all keys, all values."""

_ATTENTION = re.compile(
    r"(?<!encoder)(?:^|[._])(?:attn|attention)\.(?:.*\.)?(\w+)\.(?:weight|bias)$"
)
"""A parameter inside self-attention; the group is the name of its projection."""


def head_layout(model: PreTrainedModel) -> HeadLayout:
    """The number and the width of a model's attention heads, from its config.

    Args:
        model: a causal language model of transformers.

    Returns:
        The layout, the same in every layer.

    Raises:
        ModelError: the config does not say, or not in one number for all layers.
    """
    config = model.config.get_text_config(decoder=True)
    heads = getattr(config, "num_attention_heads", None)
    groups = getattr(config, "num_key_value_heads", None) or heads
    width = getattr(config, "head_dim", None)
    if width is None and isinstance(heads, int) and heads:
        width = getattr(config, "hidden_size", 0) // heads or None
    if not all(isinstance(number, int) for number in (heads, groups, width)):
        raise ModelError(
            f"the config of {_family(model)} does not say how many attention heads every layer has "
            "and how wide they are (num_attention_heads, num_key_value_heads, head_dim); look at "
            "its units by layer and module instead"
        )
    assert heads is not None and groups is not None and width is not None
    return HeadLayout(heads, groups, width)


def head_parts(model: PreTrainedModel) -> list[HeadPart]:
    """Where each attention head's units are in a model's parameters.

    Args:
        model: a causal language model of transformers.

    Returns:
        One entry for each parameter of attention, and three for one that makes queries, keys and
        values at once. The output projection's bias is no head's: it is added to what all wrote.

    Raises:
        ModelError: the config does not say how many heads there are, a parameter has another size
            than it says, or no projection of attention is known.
    """
    layout, axes = head_layout(model), unit_axes(model)
    fused, interleaved = _FUSED.get(model.config.model_type, ("", False))
    parts: list[HeadPart] = []
    for name, parameter in model.named_parameters():
        layer, match = split_name(name).layer, _ATTENTION.search(name)
        if layer is None or match is None:
            continue
        shape, axis = tuple(parameter.shape), axes[name]
        if match[1] == fused:
            projections = _fused_units(layout, interleaved)
        elif projection := _NAMES.get(match[1]):
            if projection == "output":
                if len(shape) < 2:
                    continue
                axis = other_axis(shape, axis)
            groups = layout.groups if projection in ("key", "value") else layout.heads
            projections = {projection: _blocks(groups, layout.width)}
        else:
            continue
        if unit_count(shape, axis) != sum(units.numel() for units in projections.values()):
            raise ModelError(
                f"{name} of {_family(model)} has shape {shape}, which is not what its config says "
                f"({layout.heads} heads, {layout.groups} of keys and values, each {layout.width} "
                "wide), so its units cannot be told apart by head; look at them by layer and module"
            )
        parts += [HeadPart(name, layer, kind, axis, units) for kind, units in projections.items()]
    if not parts:
        raise ModelError(
            f"{_family(model)} has no projections of attention whose heads are known; look at its "
            "units by layer and module instead"
        )
    return parts


def by_head(table: UnitTable, model: PreTrainedModel) -> HeadUnits:
    """Gather the values of scores or of a mask by attention head.

        heads = lab.by_head(scores, model)
        heads["query"][3].sum(1)  # (heads,): the Fisher scores of each query head of layer 3

    Args:
        table: Fisher scores or a mask.
        model: the model they are of, for its config and the shapes of its parameters.

    Returns:
        Values by projection and layer, a head's weights and biases in one row. A projection whose
        units belong to no head is left out: the output projection's rows are common to all heads,
        only its columns (scores with `aggregation="output"`) and its single entries are a head's.

    Raises:
        ModelError: it is not known which units of the model belong to which head, or the scores or
            the mask are of another model.
        SettingError: no unit in the table belongs to a head.
    """
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    rows: dict[Projection, dict[int, list[Tensor]]] = {}
    parts = head_parts(model)
    for part in parts:
        if part.name not in table:
            continue
        matrix = _along(table, part, shapes[part.name], model)
        if matrix is not None:
            by_layer = rows.setdefault(part.projection, {})
            by_layer.setdefault(part.layer, []).append(matrix[part.units].flatten(1))
    if not rows and all(part.projection == "output" for part in parts):
        raise ModelError(
            f"in which order {_family(model)} has its heads' queries, keys and values is not "
            "known; look at its units by layer and module instead"
        )
    if not rows:
        raise SettingError(
            "no unit of these scores or this mask belongs to an attention head; take scores of the "
            "whole model, with aggregation='input'"
        )
    return {
        kind: {layer: torch.cat(pieces, 1) for layer, pieces in sorted(rows[kind].items())}
        for kind in PROJECTIONS
        if kind in rows
    }


def _along(
    table: UnitTable, part: HeadPart, shape: tuple[int, ...], model: PreTrainedModel
) -> Tensor | None:
    """A parameter's values as (units along the part's axis, n); None where they lie across it."""
    values, axis = table.units[part.name], table.axes[part.name]
    if unit_count(shape, axis) != values.numel():
        raise ModelError(
            f"{part.name} has {values.numel()} values, and of shape {shape} in {_family(model)} it "
            f"has {unit_count(shape, axis)} units; give the model that was scored"
        )
    if len(shape) < 2 or axis == part.axis:
        return values[:, None]
    return as_units(values.view(shape), part.axis) if axis == ENTRY else None


def _blocks(count: int, width: int, start: int = 0) -> Tensor:
    """(count, width) indices of heads that follow one another."""
    return start + torch.arange(count * width).view(count, width)


def _fused_units(layout: HeadLayout, interleaved: bool) -> dict[Projection, Tensor]:
    """The indices of each head's units in a projection that makes queries, keys and values."""
    heads, groups, width = layout
    if interleaved:
        every = _blocks(heads, 3 * width).view(heads, 3, width)
        return {"query": every[:, 0], "key": every[:, 1], "value": every[:, 2]}
    return {
        "query": _blocks(heads, width),
        "key": _blocks(groups, width, heads * width),
        "value": _blocks(groups, width, (heads + groups) * width),
    }


def _family(model: PreTrainedModel) -> str:
    return f"{type(model).__name__} ({model.config.model_type})"
