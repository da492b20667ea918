"""Masks cut into strips of cells: the numbers of a mask map."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.masks.mask import check_comparable
from fggm_lab.models.names import split_name
from fggm_lab.plots.mask_overlap import OUTSIDE, layer_name
from fggm_lab.plots.parameter_groups import Groups, by_layer, by_module, short_names
from fggm_lab.plots.thinning import POINTS

ORDERS = {
    "shared": "sorted by how many tasks keep them",
    "position": "in the model's order",
}
"""The orders of the units in a strip, and how they are called."""
_CELLS = 16
"""The fewest cells a strip of the whole model should have, before layers share strips."""
_FINE = 500
"""The most cells of a strip that holds more than a cell's worth of units."""


class Strips(NamedTuple):
    """Strips of cells, one per group and task, the tasks of a group together.

    Attributes:
        groups: layers, parameters, or the one parameter.
        labels: one per strip, no two alike.
        shares: (strips, cells) the share of each cell's units that is kept.
        hover: (strips, cells, 3): units kept, units, which ones.
        per_cell: the fewest and the most units a cell stands for.
        of: `layer` or `parameter`: what a strip holds all units of.
    """

    groups: list[str]
    labels: list[str]
    shares: np.ndarray
    hover: np.ndarray
    per_cell: tuple[int, int]
    of: str


def groups_of(masks: Mapping[str, Mask], layer: int | None, parameter: str | None) -> Groups:
    """What is a group at this level: a layer of the model, a parameter of the layer, one parameter.

    Raises:
        SettingError: there is no mask, masks of different models, no such layer or parameter, or no
            units.
    """
    if not masks:
        raise SettingError("there is no mask to draw; give those of at least one task")
    first, *rest = masks.values()
    for mask in rest:
        check_comparable(first, mask)
    names = [name for name, bits in first.units.items() if bits.numel()]
    if not names:
        raise SettingError("the masks are over no units; make them from a model's scores")
    if parameter is not None:
        wanted = None if layer == OUTSIDE else layer
        if parameter not in names:
            raise SettingError(f"the masks have no parameter named {parameter}; see mask.names")
        if layer is not None and split_name(parameter).layer != wanted:
            raise SettingError(f"{parameter} is not in {layer_name(layer)}; leave out the layer")
        return {parameter: [parameter]}
    if layer is None:
        return by_layer(names, max(2, POINTS // (_CELLS * len(masks))))
    inside = [n for n in names if split_name(n).layer == (None if layer == OUTSIDE else layer)]
    if not inside:
        raise SettingError(f"the masks have no {layer_name(layer)}; see their parameters' names")
    return by_module(inside, max(1, POINTS // (_CELLS * len(masks))))


def strips_of(
    masks: Mapping[str, Mask], layer: int | None, parameter: str | None, order: str
) -> Strips:
    """The numbers of `mask_map`.

    Raises:
        SettingError: as `groups_of`; there is no such order, or there are too many masks to draw.
    """
    if order not in ORDERS:
        raise SettingError(f"order is '{order}'; choose one of: {', '.join(ORDERS)}")
    groups = groups_of(masks, layer, parameter)
    units = next(iter(masks.values())).units
    longest = max(sum(units[n].numel() for n in some) for some in groups.values())
    room = POINTS // (len(groups) * len(masks))
    if not room:
        raise SettingError(
            f"{len(groups) * len(masks):,} strips are too many for a figure; choose fewer masks, "
            "or one layer"
        )
    cells = min(longest, room if longest <= room else min(room, _FINE))
    rows = [_Group(masks, some, order, cells) for some in groups.values()]
    labels = [
        task if parameter is not None else f"{group} · {task}" for group in groups for task in masks
    ]
    sizes = np.concatenate([row.sizes for row in rows])
    return Strips(
        list(groups), labels, np.vstack([row.kept / row.sizes for row in rows]),
        np.concatenate([row.hover() for row in rows]), (int(sizes.min()), int(sizes.max())),
        "layer" if layer is None and parameter is None else "parameter",
    )  # fmt: skip


class _Group:
    """The strips of one group: its units in a row, cut into cells.

    Attributes:
        kept: (tasks, cells) how many of a cell's units each task keeps.
        sizes: (cells,) how many units a cell stands for; fewer units than cells fill several each.
    """

    def __init__(self, masks: Mapping[str, Mask], names: list[str], order: str, cells: int) -> None:
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
        self._places = np.arange(total)
        self._sorted = order == "shared"
        if self._sorted:  # most keepers first; among equals the first tasks' units together
            self._places = np.lexsort((*~bits[::-1], -self._keepers))
            bits = bits[:, self._places]
        counts = np.concatenate([np.zeros((len(bits), 1), int), np.cumsum(bits, axis=1)], axis=1)
        self.kept = counts[:, self._starts + self.sizes] - counts[:, self._starts]

    def hover(self) -> np.ndarray:
        """(tasks, cells, 3): units kept, units, which ones."""
        cells = np.empty((*self.kept.shape, 3), dtype=object)
        cells[..., 0], cells[..., 1] = self.kept, self.sizes
        cells[..., 2] = [
            self._which(a, a + n) for a, n in zip(self._starts, self.sizes, strict=True)
        ]
        return cells

    def _which(self, start: int, end: int) -> str:
        """`kept by 5 to 6 tasks`, or where in the model the units are."""
        if self._sorted:
            most, least = self._keepers[self._places[[start, end - 1]]]
            kept = f"kept by {most}" if most == least else f"kept by {least} to {most}"
            text = f"{kept} task{'' if most == 1 else 's'}"
            return f"{self._unit(self._places[start])}, {text}" if end - start == 1 else text
        if end - start == 1:
            return self._unit(start)
        return f"{self._unit(start)} to {self._unit(end - 1)}"

    def _unit(self, place: int) -> str:
        """`q_proj 17`: a unit's module, and its number there."""
        which = int(np.searchsorted(self._ends, place, side="right"))
        before = int(self._ends[which - 1]) if which else 0
        return f"{self._modules[which]} {place - before}"
