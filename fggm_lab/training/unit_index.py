"""Some of a parameter's units, read and written in any layout; of a sharded one, those here."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fggm_lab.models.sharding import local, local_slices
from fggm_lab.models.units import COLUMN, ENTRY, LEADING, SECOND, TRAILING, VECTORS


@dataclass(frozen=True)
class UnitIndex:
    """Which units of a parameter, for tensors of its shape.

    Attributes:
        order: the parameter's axes, those that count its units first.
        index: of k units along these axes: one tensor (k,) for each, or, where every entry is a
            unit, one of the parameter's shape that is True at k entries.
    """

    order: tuple[int, ...]
    index: tuple[Tensor, ...]

    @classmethod
    def of(cls, parameter: Tensor, bits: Tensor, axis: int) -> "UnitIndex":
        """The units that are marked.

        Args:
            parameter: whose units they are; the index lies on its device.
            bits: (units,), True at the k units.
            axis: which of the parameter's axes count units (`fggm_lab.models.units`).

        Returns:
            The index.
        """
        axes, dimensions = _counting(parameter.ndim, axis), range(parameter.ndim)
        order = (*axes, *(d for d in dimensions if d not in axes))
        grid = bits.to(parameter.device).view([parameter.shape[d] for d in axes])
        slices = local_slices(parameter)
        grid = grid[tuple(slices[d] for d in axes)]
        index = (grid,) if len(axes) == parameter.ndim else grid.nonzero(as_tuple=True)
        return cls(order, index)

    def select(self, tensor: Tensor) -> Tensor:
        """A copy of the units, (k, …); where every entry is one, (k,)."""
        return local(tensor).permute(self.order)[self.index]

    @torch.no_grad()
    def put(self, tensor: Tensor, values: Tensor) -> None:
        """Write the units, and nothing else.

        Args:
            tensor: of the parameter's shape; changed in place.
            values: as `select` gives them.
        """
        local(tensor).permute(self.order).index_put_(self.index, values)


def _counting(ndim: int, axis: int) -> tuple[int, ...]:
    """The axes of a parameter that count its units, in the units' order."""
    every = tuple(range(ndim))
    if axis in (ENTRY, VECTORS) or ndim < 2:
        return every
    if axis == LEADING:
        return every[:1]
    if axis == TRAILING:
        return every[1:]
    if axis == SECOND:
        return every[1:2]
    return (*every[:-2], every[-1]) if axis == COLUMN else every[:-1]
