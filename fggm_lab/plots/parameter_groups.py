"""A model's parameters grouped by layer or by module: the rows of a figure, few enough to draw."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from fggm_lab.models.names import split_name

Groups = dict[str, list[str]]
"""A row's label → the names of its parameters."""

Grouping = Literal["layer", "module"]
"""What parameters can be grouped by."""
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)


def by_module(names: Iterable[str], max_rows: int) -> Groups:
    """Parameters by module, over all layers, under the shortest names that tell them apart.

    Args:
        names: the parameters'.
        max_rows: with more modules, those that differ in a number alone share a row
            (`experts.0.up`, `experts.1.up` → `experts.*.up`).

    Returns:
        One group per row, in the order in which the modules come.
    """
    groups: Groups = {}
    for name in names:
        groups.setdefault(split_name(name).module, []).append(name)
    if len(groups) > max_rows:
        merged: Groups = {}
        for module, members in groups.items():
            merged.setdefault(re.sub(r"(?<=\.)\d+(?=\.)", "*", module), []).extend(members)
        groups = merged
    short = short_names(list(groups))
    return {short[module]: members for module, members in groups.items()}


def short_names(modules: Sequence[str]) -> dict[str, str]:
    """`self_attn.q_proj.weight` → `q_proj`, or as much of it as tells it from the others."""
    endings = {module: _endings(module.removesuffix(".weight").split(".")) for module in modules}
    all_endings = [ending for candidates in endings.values() for ending in candidates]
    return {
        module: next((e for e in candidates if all_endings.count(e) == 1), module)
        for module, candidates in endings.items()
    }


def _endings(parts: Sequence[str]) -> list[str]:
    """The ends of a dotted name that can name a module, shortest first."""
    # `bias` alone names nothing, and neither does what follows a `*`: these begin further left
    shortest = 2 if parts[-1] == "bias" else 1
    if "*" in parts:
        shortest = max(shortest, len(parts) - parts.index("*") + 1)
    return [".".join(parts[-k:]) for k in range(min(shortest, len(parts)), len(parts) + 1)]


def is_merged(labels: Iterable[str]) -> bool:
    """Whether a row stands for neighbouring layers or for several modules, by its label."""
    return any(label.startswith("layers ") or "*" in label for label in labels)


def merging_note(labels: Iterable[str]) -> str:
    """A sentence for the caption of a figure with merged rows; empty if there are none."""
    if not is_merged(labels):
        return ""
    return " So that the figure stays small, neighbouring layers or modules alike share a row."
