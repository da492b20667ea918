"""Masks cut into strips of cells: the numbers of a mask map."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.masks.mask import check_same_units
from fggm_lab.models.names import names_by_layer, split_name
from fggm_lab.plots.mask_overlap import OUTSIDE_LAYERS, part_name
from fggm_lab.plots.parameter_groups import Groups, by_module, short_names
from fggm_lab.plots.thinning import MAX_POINTS

Order = Literal["shared", "position"]
"""The order of the units in a strip."""
STRIP_ORDERS: dict[Order, str] = {
    "shared": "sorted by how many tasks keep them",
    "position": "in the model's order",
}
"""Each order → its description in the figure."""
_MIN_CELLS = 16
"""The fewest cells a strip of the whole model should have, before layers share strips."""
_MAX_CELLS = 500
"""The most cells of a strip that holds more than a cell's worth of units."""


class StripLayout(NamedTuple):
    """How units are laid out in strips of cells, one per group and task, a group's tasks together.

    Attributes:
        groups: names of layers, of parameters, or of the one parameter → names of parameters.
        labels: one per strip, no two alike.
        cells: how many a strip has.
        per_cell: the fewest and the most units a cell stands for.
        level: `layer` or `parameter`: what a strip holds all units of.
    """

    groups: Groups
    labels: list[str]
    cells: int
    per_cell: tuple[int, int]
    level: Literal["layer", "parameter"]


class Strips(NamedTuple):
    """The numbers of strips, tables of (strips, cells).

    Attributes:
        shares: of each cell's units that are kept.
        counts: how many are kept.
        sizes: how many units a cell stands for.
        first, last: the cell's first and last unit: `q_proj 17`; None where it is not to be named.
        fewest, most: how many masks keep the cell's units; `fewest` is None where all units have as
            many, both are where the units are in the model's order.
    """

    shares: np.ndarray
    counts: np.ndarray
    sizes: np.ndarray
    first: np.ndarray
    last: np.ndarray
    fewest: np.ndarray
    most: np.ndarray


def units_of(masks: Mapping[str, Mask]) -> dict[str, int]:
    """How many units each parameter has.

    Args:
        masks: task → its mask, all of one model.

    Returns:
        Parameter's name → number of units.

    Raises:
        SettingError: there is no mask, or they are of different models.
    """
    if not masks:
        raise SettingError("there is no mask to draw; give those of at least one task")
    first, *others = masks.values()
    for mask in others:
        check_same_units(first, mask)
    return {name: bits.numel() for name, bits in first.units.items()}


def _groups_of(
    units: Mapping[str, int], task_count: int, layer: int | None, parameter: str | None
) -> Groups:
    """The layers of the model, the parameters of a layer, or one parameter."""
    names = [name for name, count in units.items() if count]
    if not names:
        raise SettingError("the masks are over no units; make them from a model's scores")
    if parameter is not None:
        layer_in_model = None if layer == OUTSIDE_LAYERS else layer
        if parameter not in names:
            raise SettingError(f"the masks have no parameter named {parameter}; see mask.names")
        if layer is not None and split_name(parameter).layer != layer_in_model:
            raise SettingError(f"{parameter} is not in {part_name(layer)}; leave out the layer")
        return {parameter: [parameter]}
    if layer is None:
        return names_by_layer(names, max(2, MAX_POINTS // (_MIN_CELLS * task_count)))
    inside = [
        n for n in names if split_name(n).layer == (None if layer == OUTSIDE_LAYERS else layer)
    ]
    if not inside:
        raise SettingError(f"the masks have no {part_name(layer)}; see their parameters' names")
    return by_module(inside, max(1, MAX_POINTS // (_MIN_CELLS * task_count)))


def strip_layout(
    tasks: Sequence[str], units: Mapping[str, int], layer: int | None, parameter: str | None
) -> StripLayout:
    """Lay units out in strips.

    Args:
        tasks: names.
        units: parameter's name → number of units.
        layer: a layer's number, `OUTSIDE_LAYERS`, or None for the whole model.
        parameter: a parameter's name, for that parameter alone.

    Returns:
        A strip for each group and task.

    Raises:
        SettingError: no such layer or parameter, no units, or too many strips to draw.
    """
    groups = _groups_of(units, len(tasks), layer, parameter)
    totals = [sum(units[name] for name in names) for names in groups.values()]
    max_cells = MAX_POINTS // (len(groups) * len(tasks))
    if not max_cells:
        raise SettingError(
            f"{len(groups) * len(tasks):,} strips are too many for a figure; choose fewer masks, "
            "or one layer"
        )
    longest = max(totals)
    cells = min(longest, max_cells if longest <= max_cells else min(max_cells, _MAX_CELLS))
    labels = [
        task if parameter is not None else f"{group} · {task}" for group in groups for task in tasks
    ]
    sizes = np.concatenate([_cells(total, cells)[1] for total in totals])
    return StripLayout(
        groups, labels, cells, (int(sizes.min()), int(sizes.max())),
        "layer" if layer is None and parameter is None else "parameter",
    )  # fmt: skip


def short_modules(names: Sequence[str]) -> list[str]:
    """The shortest name of each parameter's module that tells it from the others."""
    modules = [split_name(name).module for name in names]
    short = short_names(modules)
    return [short[module] for module in modules]


def strips_of(masks: Mapping[str, Mask], layout: StripLayout, order: Order) -> Strips:
    """The numbers of `mask_map`.

    Args:
        masks: task → its mask, all of one model.
        layout: of their units.
        order: `shared` or `position`.

    Returns:
        A strip for each group and task.
    """
    groups = [_group(masks, names, order, layout.cells) for names in layout.groups.values()]
    return Strips(*(np.concatenate(tables) for tables in zip(*groups, strict=True)))


def _cells(total: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each cell of a strip begins, and its size; with few units one fills several cells."""
    starts = np.arange(cells) * total // cells
    return starts, np.maximum(np.arange(1, cells + 1) * total // cells - starts, 1)


def _group(masks: Mapping[str, Mask], names: list[str], order: Order, cells: int) -> Strips:
    """The strips of one group: its units in a row, cut into cells of (almost) equal size.

    What a cell keeps is the difference of two cumulative counts of kept units, so that the cost
    does not depend on the number of cells.

    Args:
        masks: task → its mask.
        names: of the group's parameters.
        order: of the units.
        cells: of a strip.

    Returns:
        Tables of (tasks, cells).
    """
    sizes_of_parameters = [next(iter(masks.values())).units[name].numel() for name in names]
    unit_names = _UnitNames(names, sizes_of_parameters)
    bits = np.stack([
        np.concatenate([mask.units[name].numpy() for name in names]) for mask in masks.values()
    ])  # fmt: skip
    keepers, unit_order = bits.sum(0), np.arange(bits.shape[1])
    if order == "shared":  # most keepers first; among equals the first tasks' units together
        unit_order = np.lexsort((*~bits[::-1], -keepers))
        bits = bits[:, unit_order]
    starts, sizes = _cells(bits.shape[1], cells)
    sums = np.concatenate([np.zeros((len(bits), 1), int), np.cumsum(bits, axis=1)], axis=1)
    counts = sums[:, starts + sizes] - sums[:, starts]
    named = [unit_names[unit_order[start]] for start in starts]
    blank: list[Any] = [None] * cells
    first, last, fewest, most = blank, blank, blank, blank
    if order == "shared":
        most = keepers[unit_order[starts]].tolist()
        lowest = keepers[unit_order[starts + sizes - 1]].tolist()
        fewest = [low if low < high else None for low, high in zip(lowest, most, strict=True)]
        first = [name if n == 1 else None for name, n in zip(named, sizes, strict=True)]
    else:
        first = named
        last = [
            unit_names[start + n - 1] if n > 1 else None
            for start, n in zip(starts, sizes, strict=True)
        ]
    per_cell = (np.array([column] * len(bits), object) for column in (first, last, fewest, most))
    return Strips(counts / sizes, counts, np.tile(sizes, (len(bits), 1)), *per_cell)


class _UnitNames:
    """`q_proj 17`: the module of a unit of a group, and the unit's number in it."""

    def __init__(self, names: Sequence[str], sizes: Sequence[int]) -> None:
        self._modules, self._ends = short_modules(names), np.cumsum(sizes)

    def __getitem__(self, index: int) -> str:
        module = int(np.searchsorted(self._ends, index, side="right"))
        before = int(self._ends[module - 1]) if module else 0
        return f"{self._modules[module]} {index - before}"
