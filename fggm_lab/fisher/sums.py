"""Sums of squared gradients per unit or per entry, filled by an estimator."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fggm_lab.fisher.factors import GramCache, Part, Reduce, add_squares, widen
from fggm_lab.fisher.units import ENTRY, as_units, unit_count


class SquareSums:
    """For every parameter, Σ over examples of squared gradients, reduced to units or whole."""

    def __init__(
        self, parameters: dict[str, nn.Parameter], axes: dict[str, int], elementwise: bool
    ) -> None:
        """Args:
        parameters: by name.
        axes: each parameter's unit axis.
        elementwise: keep every entry; the units are then summed from the entries at the end.
        """
        self.parameters = parameters
        self.axes = axes
        self.elementwise = elementwise
        self.cache = GramCache()
        self.generic: set[str] = set()
        """Parameters an exact estimator scored one example at a time, no rule covering them."""
        self._totals: dict[str, Tensor] = {}
        for name, parameter in parameters.items():
            shape = tuple(parameter.shape)
            size = shape if elementwise else (unit_count(shape, axes[name]),)
            dtype = torch.promote_types(parameter.dtype, torch.float32)
            self._totals[name] = torch.zeros(size, dtype=dtype, device=parameter.device)

    def _reduce(self, name: str) -> Reduce:
        if self.elementwise or self.axes[name] == ENTRY:
            return "entries"
        return "rows" if self.axes[name] == 0 else "columns"

    def add_parts(self, name: str, parts: Sequence[Part]) -> None:
        """Add the squares of a batch's per-example gradients, given as factors."""
        add_squares(self._totals[name], parts, self._reduce(name), self.cache)

    def add_gradient(self, name: str, gradient: Tensor, weight: float = 1.0) -> None:
        """Add `weight` times the square of one gradient, given in the parameter's shape."""
        squares = widen(gradient).square()
        if not self.elementwise:
            squares = as_units(squares, self.axes[name]).sum(1)
        self._totals[name].add_(squares, alpha=weight)

    def means(self, examples: int) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
        """Unit scores, and the whole diagonal if it was kept, averaged; both on the CPU."""
        means = {name: (total / examples).cpu() for name, total in self._totals.items()}
        if not self.elementwise:
            return means, None
        return {n: as_units(m, self.axes[n]).sum(1) for n, m in means.items()}, means
