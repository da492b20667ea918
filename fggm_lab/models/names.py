"""Where a parameter sits in a transformer: its layer number and its module within that layer."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_ADAPTER = re.compile(r"\.lora_([AB])\.\w+\.weight$")
OUTSIDE = "outside layers"
"""What the parameters in no layer are called: embeddings, the final norm and the head."""

_STACK = re.compile(r"(?:^|\.)(?:layers|h|blocks|block|layer)\.(\d+)\.")


class NameParts(NamedTuple):
    """A parameter's layer (None outside the stack) and its name inside that layer."""

    layer: int | None
    module: str


def split_name(name: str) -> NameParts:
    """Split a parameter's name into layer and module.

    `model.layers.3.mlp.up_proj.weight` → (3, `mlp.up_proj.weight`); the first numbered stack
    counts, so an expert's own number stays in the module. Embeddings, the final norm and the head
    have layer None and keep their whole name, less a leading `model.` or `transformer.`.

    Args:
        name: a parameter's full name in its model.

    Returns:
        The layer's number or None, and the rest of the name.
    """
    match = _STACK.search(name)
    if match:
        return NameParts(int(match.group(1)), name[match.end() :])
    return NameParts(None, re.sub(r"^(?:(?:model|transformer|gpt_neox|decoder)\.)+", "", name))


def layer_name(layer: int | None) -> str:
    """A layer by its number as tables and figures call it: `layer 3`, or `OUTSIDE` for None."""
    return OUTSIDE if layer is None else f"layer {layer}"


def names_by_layer(names: Iterable[str], max_rows: int) -> dict[str, list[str]]:
    """Gather parameters by layer for a table or a figure with few rows.

    Args:
        names: the parameters' names.
        max_rows: the largest number of rows, at least 2; of a deeper model neighbouring layers
            share a row.

    Returns:
        Label of a row (`layer 3`, `layers 4–5`, `outside layers`, which comes last) → the names of
        its parameters.
    """
    by_layer: dict[int | None, list[str]] = {}
    for name in names:
        by_layer.setdefault(split_name(name).layer, []).append(name)
    outside = by_layer.pop(None, None)
    layers = sorted(layer for layer in by_layer if layer is not None)
    per_row = -(-len(layers) // max(1, max_rows - (outside is not None))) or 1
    rows = {}
    for start in range(0, len(layers), per_row):
        group = layers[start : start + per_row]
        label = layer_name(group[0]) if len(group) == 1 else f"layers {group[0]}–{group[-1]}"
        rows[label] = [name for layer in group for name in by_layer[layer]]
    return rows if outside is None else {**rows, OUTSIDE: outside}


def own_weight(name: str) -> str | None:
    """Find the weight of the plain model that has the same output units as a parameter.

    `….q_proj.lora_B.default.weight` → `….q_proj.weight`: row i of an adapter's B moves row i of the
    layer's weight. The rows of its A are no output units.

    Args:
        name: a parameter's full name.

    Returns:
        The weight's full name; the parameter's own name if it belongs to no adapter, None for an
        adapter's A.
    """
    match = _ADAPTER.search(name)
    if match is None:
        return name
    return f"{name[: match.start()]}.weight" if match.group(1) == "B" else None
