"""Masks cut into strips of cells: the numbers of a mask map."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

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


class Strips(NamedTuple):
    """Strips of cells, one per group and task, the tasks of a group together.

    Attributes:
        groups: names of layers, of parameters, or of the one parameter.
        labels: one per strip, no two alike.
        shares: (strips, cells) the share of each cell's units that is kept.
        hover: (strips, cells, 3): units kept, units, which ones.
        per_cell: the fewest and the most units a cell stands for.
        level: `layer` or `parameter`: what a strip holds all units of.
    """

    groups: list[str]
    labels: list[str]
    shares: np.ndarray
    hover: np.ndarray
    per_cell: tuple[int, int]
    level: Literal["layer", "parameter"]


def groups_of(masks: Mapping[str, Mask], layer: int | None, parameter: str | None) -> Groups:
    """The groups of strips: the layers of the model, the parameters of a layer, or one parameter.

    Args:
        masks: task → its mask, all of one model.
        layer: a layer's number, `OUTSIDE_LAYERS`, or None for the whole model.
        parameter: a parameter's name, for that parameter alone.

    Returns:
        Label of a group → the names of its parameters.

    Raises:
        SettingError: there is no mask, masks of different models, no such layer or parameter, or no
            units.
    """
    if not masks:
        raise SettingError("there is no mask to draw; give those of at least one task")
    first, *rest = masks.values()
    for mask in rest:
        check_same_units(first, mask)
    names = [name for name, bits in first.units.items() if bits.numel()]
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
        return names_by_layer(names, max(2, MAX_POINTS // (_MIN_CELLS * len(masks))))
    inside = [
        n for n in names if split_name(n).layer == (None if layer == OUTSIDE_LAYERS else layer)
    ]
    if not inside:
        raise SettingError(f"the masks have no {part_name(layer)}; see their parameters' names")
    return by_module(inside, max(1, MAX_POINTS // (_MIN_CELLS * len(masks))))


def strips_of(
    masks: Mapping[str, Mask], layer: int | None, parameter: str | None, order: Order
) -> Strips:
    """The numbers of `mask_map`, whose arguments these are.

    Returns:
        A strip for each group and task.

    Raises:
        SettingError: there is no mask, no such layer, parameter or order, masks of different models
            or without units, or too many masks to draw.
    """
    if order not in STRIP_ORDERS:
        raise SettingError(f"order is '{order}'; choose one of: {', '.join(STRIP_ORDERS)}")
    groups = groups_of(masks, layer, parameter)
    units = next(iter(masks.values())).units
    longest = max(sum(units[n].numel() for n in group) for group in groups.values())
    max_cells = MAX_POINTS // (len(groups) * len(masks))
    if not max_cells:
        raise SettingError(
            f"{len(groups) * len(masks):,} strips are too many for a figure; choose fewer masks, "
            "or one layer"
        )
    cells = min(longest, max_cells if longest <= max_cells else min(max_cells, _MAX_CELLS))
    rows = [_Group(masks, group, order, cells) for group in groups.values()]
    labels = [
        task if parameter is not None else f"{group} · {task}" for group in groups for task in masks
    ]
    sizes = np.concatenate([row.sizes for row in rows])
    return Strips(
        list(groups), labels, np.vstack([row.keep_counts / row.sizes for row in rows]),
        np.concatenate([row.hover() for row in rows]), (int(sizes.min()), int(sizes.max())),
        "layer" if layer is None and parameter is None else "parameter",
    )  # fmt: skip


class _Group:
    """The strips of one group: its units in a row, cut into cells of (almost) equal size.

    With fewer units than cells a unit fills several cells. What a cell keeps is the difference of
    two cumulative counts of kept units, so that the cost does not depend on the number of cells.

    Attributes:
        keep_counts: (tasks, cells) how many of a cell's units each task keeps.
        sizes: (cells,) how many units a cell stands for, at least 1.
    """

    def __init__(
        self, masks: Mapping[str, Mask], names: list[str], order: Order, cells: int
    ) -> None:
        short = short_names([split_name(name).module for name in names])
        self._modules = [short[split_name(name).module] for name in names]
        first = next(iter(masks.values())).units
        self._ends = np.cumsum([first[name].numel() for name in names])
        bits = np.stack([
            np.concatenate([mask.units[name].numpy() for name in names]) for mask in masks.values()
        ])  # fmt: skip
        total = bits.shape[1]
        self._starts = np.arange(cells) * total // cells
        self.sizes = np.maximum(np.arange(1, cells + 1) * total // cells - self._starts, 1)
        self._keepers = bits.sum(0)
        self._order = np.arange(total)
        self._sorted = order == "shared"
        if self._sorted:  # most keepers first; among equals the first tasks' units together
            self._order = np.lexsort((*~bits[::-1], -self._keepers))
            bits = bits[:, self._order]
        counts = np.concatenate([np.zeros((len(bits), 1), int), np.cumsum(bits, axis=1)], axis=1)
        self.keep_counts = counts[:, self._starts + self.sizes] - counts[:, self._starts]

    def hover(self) -> np.ndarray:
        """(tasks, cells, 3): number of units kept, number of units, and a text that names them."""
        cells = np.empty((*self.keep_counts.shape, 3), dtype=object)
        cells[..., 0], cells[..., 1] = self.keep_counts, self.sizes
        cells[..., 2] = [
            self._units_text(a, a + n) for a, n in zip(self._starts, self.sizes, strict=True)
        ]
        return cells

    def _units_text(self, start: int, end: int) -> str:
        """`kept by 5 to 6 tasks`, or where in the model the units are."""
        if self._sorted:
            max_keepers, min_keepers = self._keepers[self._order[[start, end - 1]]]
            keepers = f"{min_keepers} to " if min_keepers < max_keepers else ""
            text = f"kept by {keepers}{max_keepers} task{'' if max_keepers == 1 else 's'}"
            return f"{self._unit_name(self._order[start])}, {text}" if end - start == 1 else text
        if end - start == 1:
            return self._unit_name(start)
        return f"{self._unit_name(start)} to {self._unit_name(end - 1)}"

    def _unit_name(self, index: int) -> str:
        """`q_proj 17`: the module of a unit of the group, and the unit's number in it."""
        module = int(np.searchsorted(self._ends, index, side="right"))
        before = int(self._ends[module - 1]) if module else 0
        return f"{self._modules[module]} {index - before}"
