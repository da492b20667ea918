"""Sums of squared gradients per unit and per entry, filled by an estimator, batch by batch."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fggm_lab.fisher.factors import CHUNK, GramCache, Reduce, example_squares, widen, written_out
from fggm_lab.fisher.stacked import Piece, Stacked, squares_of
from fggm_lab.models.units import COLUMN, ENTRY, ROW, as_units, unit_count


class SquareSums:
    """For every parameter, Σ over examples of squared gradients, and of the squared unit scores.

    While a batch is open its examples' unit scores are kept apart; closing it folds them into the
    sums. All units of a device lie in one flat tensor, so that folding costs a few operations,
    however many parameters there are.
    """

    def __init__(
        self,
        parameters: dict[str, nn.Parameter],
        axes: dict[str, int],
        elementwise: bool,
        chunk: int = CHUNK,
    ) -> None:
        """Args:
        parameters: by name.
        axes: each parameter's unit axis; `ENTRY` needs `elementwise`, has no second moments.
        elementwise: also keep the sum of every entry's squares.
        chunk: the most numbers a temporary of `add_parts` may hold.
        """
        self.parameters = parameters
        self.axes = axes
        self.elementwise = elementwise
        self.chunk = chunk
        self.cache = GramCache()
        self.generic: set[str] = set()
        """Parameters an exact estimator scored one example at a time, no rule covering them."""
        self.unreached: set[str] = set()
        """Parameters that the likelihood of the probe's text does not depend on."""
        self._rows: dict[torch.device, Tensor] = {}
        self._spans: dict[str, slice] = {}
        self._total: dict[torch.device, Tensor] = {}
        self._second: dict[torch.device, Tensor] = {}
        sizes: dict[torch.device, int] = {}
        for name, parameter in parameters.items():
            start = sizes.get(parameter.device, 0)
            units = unit_count(tuple(parameter.shape), axes[name])
            stop = start if axes[name] == ENTRY else start + units
            self._spans[name] = slice(start, stop)
            sizes[parameter.device] = stop
        for device, size in sizes.items():
            # a score's square may be too small for float32; Apple's GPUs know nothing wider
            dtype = torch.float32 if device.type == "mps" else torch.float64
            self._total[device] = torch.zeros(size, dtype=dtype, device=device)
            self._second[device] = torch.zeros(size, dtype=dtype, device=device)
        self._entry_sums = {
            name: torch.zeros_like(p, dtype=_wide(p), requires_grad=False)
            for name, p in parameters.items()
            if elementwise
        }

    @property
    def tensors(self) -> list[Tensor]:
        """The sums themselves."""
        return [*self._total.values(), *self._second.values(), *self._entry_sums.values()]

    @property
    def bytes(self) -> int:
        """What the sums take, whatever is added."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def bytes_per_example(self) -> int:
        """At most what an open batch takes per example, however long that is.

        A row of unit scores, a copy in double precision, and a parameter's scores on their way.
        """
        return 3 * 8 * sum(len(total) for total in self._total.values())

    def clear(self) -> None:
        """Back to zero, as if nothing had been added."""
        for tensor in self.tensors:
            tensor.zero_()
        self._rows.clear()
        self.cache.clear()

    def open_batch(self, size: int) -> None:
        """Expect the gradients of `size` examples."""
        for device, total in self._total.items():
            wide = [_wide(p) for p in self.parameters.values() if p.device == device]
            dtype = torch.float64 if torch.float64 in wide else torch.float32
            self._rows[device] = torch.zeros((size, len(total)), dtype=dtype, device=device)

    def add_parts(self, name: str, parts: Sequence[Piece]) -> None:
        """Add the squares of the open batch's per-example gradients, given as factors."""
        squares = self.squares(name, parts, self._entry_sums.get(name))
        if self.axes[name] != ENTRY:
            self._batch(name).add_(squares)

    def squares(
        self, name: str, parts: Sequence[Piece], entry_sums: Tensor | None = None
    ) -> Tensor:
        """Compute a parameter's squared gradients, example by example, without adding them.

        Args:
            name: the parameter's.
            parts: its gradients, given as factors.
            entry_sums: every entry's squares, summed over the examples, are added to it in place.

        Returns:
            (B, units) sums of squares.
        """
        shape, axis = tuple(self.parameters[name].shape), self.axes[name]
        if axis not in (ROW, COLUMN, ENTRY):  # rare and small: every example's gradient itself
            plain = [part for part in parts if not isinstance(part, Stacked)]
            squares = example_squares([written_out(plain)], shape, "rows", None, entry_sums)
            return torch.stack([as_units(row.reshape(shape), axis).sum(1) for row in squares])
        reduce: Reduce = "columns" if axis == COLUMN else "rows"
        return squares_of(parts, shape, reduce, self.cache, entry_sums, self.chunk)

    def gradient_norms(self, name: str, gradient: Tensor) -> Tensor:
        """(units,): the L2 norm of one gradient's every unit, summed over as `squares` does."""
        axis = ROW if self.axes[name] == ENTRY else self.axes[name]
        return as_units(widen(gradient.detach()), axis).norm(dim=1)

    def add_gradient(self, name: str, gradient: Tensor, weight: float = 1.0) -> None:
        """Add `weight` times the square of one gradient to an open batch of one example.

        Args:
            name: the parameter's.
            gradient: in the parameter's shape.
            weight: how many examples it stands for.
        """
        self.add_squares(name, widen(gradient).square().mul_(weight))

    def add_squares(self, name: str, squares: Tensor) -> None:
        """Add squares in the parameter's shape to an open batch of one example."""
        if self.elementwise:
            self._entry_sums[name].add_(squares)
        if self.axes[name] != ENTRY:
            self._batch(name).add_(as_units(squares, self.axes[name]).sum(1))

    def close_batch(self) -> None:
        """Fold the open batch's examples into the sums."""
        for device, rows in self._rows.items():
            wide = rows.to(self._total[device].dtype)
            self._total[device] += wide.sum(0)
            self._second[device] += wide.square_().sum(0)
        self._rows.clear()

    def unsound(self) -> str | None:
        """The first parameter whose sums are not finite, or None; cheap if all are."""
        home = next(iter(self.parameters.values())).device
        sums = [total.sum() for total in self._total.values()]
        sums += [w.sum() for n, w in self._entry_sums.items() if self.axes[n] == ENTRY]
        if torch.stack([s.to(home) for s in sums]).isfinite().all():
            return None
        for name, parameter in self.parameters.items():
            entries = self.axes[name] == ENTRY
            values = self._entry_sums[name] if entries else self._of(self._total, name, parameter)
            if not values.isfinite().all():
                return name
        return None

    def means(self, examples: int) -> tuple[dict[str, Tensor], dict[str, Tensor] | None]:
        """Average over the examples; to be called once, after the last batch.

        Args:
            examples: the number of examples that were added.

        Returns:
            Parameter → (units,) scores, and parameter → its diagonal in the parameter's shape, None
            if that was not kept; both on the CPU. The diagonal is no longer kept here.
        """
        entry_sums = {
            n: self._entry_sums.pop(n).div_(examples).cpu() for n in list(self._entry_sums)
        }
        units = {}
        for name, parameter in self.parameters.items():
            if self.axes[name] == ENTRY:
                units[name] = entry_sums[name].flatten()
            else:
                total = self._of(self._total, name, parameter) / examples
                units[name] = total.to(_wide(parameter)).cpu()
        return units, entry_sums if self.elementwise else None

    def standard_errors(self, examples: int) -> dict[str, Tensor] | None:
        """The standard error of each mean: √(sample variance over examples ÷ examples).

        Args:
            examples: the number of examples that were added.

        Returns:
            Parameter → (units,) on the CPU; None where it is not defined: fewer than two examples,
            or units that are entries.
        """
        if examples < 2 or ENTRY in self.axes.values():
            return None
        errors = {}
        for name, parameter in self.parameters.items():
            mean = self._of(self._total, name, parameter) / examples
            square = self._of(self._second, name, parameter) / examples
            variance = (square - mean.square()).clamp_(min=0) / (examples - 1)
            errors[name] = variance.sqrt().to(_wide(parameter)).cpu()
        return errors

    def _batch(self, name: str) -> Tensor:
        """The open batch's (B, units) of a parameter, a view."""
        return self._rows[self.parameters[name].device][:, self._spans[name]]

    def _of(self, flat: dict[torch.device, Tensor], name: str, parameter: nn.Parameter) -> Tensor:
        return flat[parameter.device][self._spans[name]]


def _wide(parameter: nn.Parameter) -> torch.dtype:
    return torch.promote_types(parameter.dtype, torch.float32)
