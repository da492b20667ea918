"""Rows of a figure: a model's parameters gathered by layer or by module, few enough to draw."""

import re
from collections.abc import Iterable, Sequence

from fggm_lab.models.names import split_name
from fggm_lab.plots.layer_shares import OUTSIDE, layer_name

Groups = dict[str, list[str]]
"""A row's label → the names of its parameters."""

BY = ("layer", "module")
"""What parameters can be gathered by."""


def by_layer(names: Iterable[str], most: int) -> Groups:
    """Parameters by layer, what lies outside the layers last.

    Args:
        names: the parameters'.
        most: the most rows, at least 2; of a deeper model neighbouring layers share a row.
    """
    found: dict[int | None, list[str]] = {}
    for name in names:
        found.setdefault(split_name(name).layer, []).append(name)
    outside = found.pop(None, None)
    layers = sorted(n for n in found if n is not None)
    each = -(-len(layers) // max(1, most - (outside is not None))) or 1
    rows = {}
    for start in range(0, len(layers), each):
        some = layers[start : start + each]
        label = layer_name(some[0]) if len(some) == 1 else f"layers {some[0]}–{some[-1]}"
        rows[label] = [name for layer in some for name in found[layer]]
    return rows if outside is None else {**rows, OUTSIDE: outside}


def by_module(names: Iterable[str], most: int) -> Groups:
    """Parameters by module, over all layers, under the shortest names that tell them apart.

    Args:
        names: the parameters'.
        most: the most rows; with more modules, those that differ in a number alone share a row
            (`experts.0.up`, `experts.1.up` → `experts.*.up`).
    """
    found: Groups = {}
    for name in names:
        found.setdefault(split_name(name).module, []).append(name)
    if len(found) > most:
        merged: Groups = {}
        for module, some in found.items():
            merged.setdefault(re.sub(r"(?<=\.)\d+(?=\.)", "*", module), []).extend(some)
        found = merged
    short = short_names(list(found))
    return {short[module]: some for module, some in found.items()}


def short_names(modules: Sequence[str]) -> dict[str, str]:
    """`self_attn.q_proj.weight` → `q_proj`, or as much of it as tells it from the others."""
    parts = {module: module.removesuffix(".weight").split(".") for module in modules}
    endings = {module: _endings(some) for module, some in parts.items()}
    every = [ending for some in endings.values() for ending in some]
    return {
        module: next((e for e in some if every.count(e) == 1), module)
        for module, some in endings.items()
    }


def _endings(parts: Sequence[str]) -> list[str]:
    """From the last word to the whole; `bias` alone names nothing, nor what follows a `*`."""
    first = 2 if parts[-1] == "bias" else 1
    if "*" in parts:
        first = max(first, len(parts) - parts.index("*") + 1)
    return [".".join(parts[-k:]) for k in range(min(first, len(parts)), len(parts) + 1)]


def merged(groups: Groups) -> bool:
    """Whether neighbouring layers or modules share a row."""
    return any(label.startswith("layers ") or "*" in label for label in groups)


def where_from(groups: Groups) -> str:
    """A sentence for the caption of a figure whose rows are shared; empty if none is."""
    if not merged(groups):
        return ""
    return " So that the figure stays small, neighbouring layers or modules alike share a row."
