"""Mask: which units of a model may move, as one bit per unit."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fggm_lab.deprecation import warn_renamed
from fggm_lab.errors import ModelError, SettingError
from fggm_lab.files import checked, tensor_bytes, tensors_digest, unreadable, write_tensors
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.html_table import plain_lines
from fggm_lab.mask_settings import Scope, check_scope
from fggm_lab.masks.mask_file import WHAT, pack, read_mask, record_of
from fggm_lab.masks.selection import select
from fggm_lab.models.sharding import local, local_part
from fggm_lab.models.unit_table import UnitTable
from fggm_lab.models.units import broadcast_units, unit_axes, unit_count

_SOURCE_WIDTH = 60
"""The most characters of a combined mask's expression that its repr shows."""


@dataclass(frozen=True)
class MaskInfo:
    """How a mask was made.

    Attributes:
        keep: the share asked for; for combined masks, the share they hold.
        scope: `parameter` or `global`.
        source: `top`, `random`, `full`, or the expression that combined masks.
        seed: of a random mask; of another, what drew among units of equal scores, if anything.
        task: the task whose scores chose it.
    """

    keep: float
    scope: str
    source: str
    seed: int | None = None
    task: str | None = None


@dataclass(eq=False)
class Mask(UnitTable):
    """One bit per unit: True may move, False is frozen.

    Masks of one model combine as sets: `a & b`, `a | b`, `a - b`, `~a`.

    Attributes:
        units: parameter name → (units,) bool tensor on the CPU.
        axes: parameter name → the axis its units lie along (`fggm_lab.models.units`).
        info: keep share, scope and source.
    """

    units: dict[str, Tensor]
    axes: dict[str, int]
    info: MaskInfo
    _missing: ClassVar[str] = "the mask has no parameter named {}; see mask.names"

    @classmethod
    def top(
        cls,
        scores: FisherScores,
        keep: float,
        scope: Scope = "parameter",
        *,
        seed: int | None = None,
    ) -> "Mask":
        """Keep the units with the highest scores: exactly round(keep · n) of them.

        `round` is Python's, which rounds halves to the even neighbour.

        Where more units of equal scores are left than places, the units that come first are kept,
        or, with a `seed`, drawn ones. It matters for masks of the *lowest* scores: the rows of an
        untied embedding whose tokens no example has all score zero, and without a seed their ids
        would decide which of them move. In a mask of the highest scores such units stay where
        they are either way, having no gradient.

        Args:
            scores: one score per unit.
            keep: the share that may move, in (0, 1]; 0.3 moves 30 %.
            scope: whether n counts the units of each `parameter` or of the whole model (`global`).
            seed: draws among units of equal scores; None: the units that come first.

        Returns:
            A mask over the parameters that have scores.

        Raises:
            SettingError: `keep` or `scope` is outside what it may be.
            DataError: a score is not a number.
        """
        scope = check_scope(scope)
        info = MaskInfo(keep, scope, "top", seed, task=scores.info.task)
        values = {name: s.detach().cpu().numpy() for name, s in scores.units.items()}
        return cls(select(values, keep, scope, seed), dict(scores.axes), info)

    @classmethod
    def random(
        cls,
        like: "FisherScores | Mask | nn.Module",
        keep: float,
        scope: Scope = "parameter",
        seed: int = 0,
    ) -> "Mask":
        """Keep round(keep · n) units drawn uniformly: the control for a mask of the same share.

        Args:
            like: scores, a mask or a model, whose units the mask is over.
            keep: the share that may move, in (0, 1].
            scope: whether n counts the units of each `parameter` or of the whole model (`global`).
            seed: the same seed draws the same mask.

        Returns:
            A mask over the same parameters.

        Raises:
            SettingError: `keep` or `scope` is outside what it may be.
        """
        axes, counts = _layout(like)
        scope = check_scope(scope)
        rng = np.random.Generator(np.random.PCG64(seed))
        values = {name: rng.random(count) for name, count in counts.items()}
        return cls(select(values, keep, scope), axes, MaskInfo(keep, scope, "random", seed))

    @classmethod
    def full(cls, like: "FisherScores | Mask | nn.Module") -> "Mask":
        """The mask under which every unit moves."""
        axes, counts = _layout(like)
        units = {name: torch.ones(count, dtype=torch.bool) for name, count in counts.items()}
        return cls(units, axes, MaskInfo(1.0, "parameter", "full"))

    @property
    def count(self) -> int:
        """How many units may move."""
        return sum(count_bits(bits) for bits in self.units.values())

    @property
    def share(self) -> float:
        """The share of units that may move; 0 for a mask over no units."""
        total = self.unit_count
        return self.count / total if total else 0.0

    def __invert__(self) -> "Mask":
        return self._combination(
            {n: ~bits for n, bits in self.units.items()}, f"~{self.info.source}"
        )

    def __and__(self, other: "Mask") -> "Mask":
        return self._combined(other, torch.logical_and, "&")

    def __or__(self, other: "Mask") -> "Mask":
        return self._combined(other, torch.logical_or, "|")

    def __sub__(self, other: "Mask") -> "Mask":
        return self._combined(other, lambda left, right: left & ~right, "-")

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same bits for the same parameters, whatever their `info` says."""
        if not isinstance(other, Mask):
            return NotImplemented
        return (
            self.axes == other.axes
            and self.units.keys() == other.units.keys()
            and all(torch.equal(bits, other.units[name]) for name, bits in self.units.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        source = self.info.source
        source = source if len(source) <= _SOURCE_WIDTH else f"{source[: _SOURCE_WIDTH - 1]}…"
        return plain_lines(
            f"Mask({source}, keep={self.info.keep:g}, scope={self.info.scope}: "
            f"{self.count:,} of {self.unit_count:,} units move)"
        )

    @property
    def made(self) -> MaskInfo:
        """The name that `info` had in version 0.1."""
        warn_renamed("mask.made", "mask.info")
        return self.info

    def _table_columns(self, names: list[str]) -> dict[str, object]:
        """What the table of a notebook shows of some parameters."""
        moving = sum(count_bits(self.units[name]) for name in names)
        units = sum(self.units[name].numel() for name in names)
        return {
            "units": units,
            "units that move": moving,
            "share that moves (%)": 100 * moving / units if units else None,
        }

    def _combination(self, units: dict[str, Tensor], source: str) -> "Mask":
        mask = Mask(units, dict(self.axes), self.info)
        mask.info = MaskInfo(mask.share, self.info.scope, source)
        return mask

    def _combined(
        self, other: "Mask", operation: Callable[[Tensor, Tensor], Tensor], sign: str
    ) -> "Mask":
        check_same_units(self, other)
        units = {name: operation(bits, other.units[name]) for name, bits in self.units.items()}
        return self._combination(units, f"({self.info.source} {sign} {other.info.source})")

    def restricted(self, names: Iterable[str]) -> "Mask":
        """The mask over the named parameters only; it leaves the other parameters alone.

        Args:
            names: parameters' names, in any order.

        Returns:
            A mask with the same bits for these parameters, in the model's order.

        Raises:
            SettingError: the mask knows no parameter of that name.
        """
        chosen = self._checked_names(names)
        units = {name: bits for name, bits in self.units.items() if name in chosen}
        return Mask(units, {name: self.axes[name] for name in units}, self.info)

    def check(self, model: nn.Module) -> None:
        """Check that a model has the units that the mask was made for.

        Args:
            model: the model the mask is to be used with.

        Raises:
            ModelError: parameters the mask names are missing from the model or have other units;
                they are named.
        """
        counts = {
            name: unit_count(tuple(p.shape), self.axes.get(name, 0))
            for name, p in model.named_parameters()
        }
        different = [
            f"{name} ({bits.numel()} units in the mask, {counts.get(name, 'none')} in the model)"
            for name, bits in self.units.items()
            if counts.get(name) != bits.numel()
        ]
        if different:
            more = f" and {len(different) - 3} more" if len(different) > 3 else ""
            raise ModelError(
                f"the mask was made for another model: {', '.join(different[:3])}{more} differ; "
                "score this model and cut its own mask"
            )

    def frozen(self, model: nn.Module) -> Iterator[tuple[str, nn.Parameter, Tensor]]:
        """Find the parameters of a model that have frozen units.

        Args:
            model: a model the mask was made for.

        Yields:
            The parameter's name, the parameter, and a bool tensor on its device, True where an
            entry is frozen, in a shape that broadcasts over the parameter, or, if it is sharded,
            over this rank's shard.
        """
        for name, parameter in model.named_parameters():
            bits = self.units.get(name)
            if bits is not None and not bool(bits.all()):
                entries = broadcast_units(~bits, tuple(parameter.shape), self.axes[name])
                yield name, parameter, local_part(entries, parameter).to(parameter.device)

    @torch.no_grad()
    def project_(self, model: nn.Module) -> None:
        """g ← g ⊙ mask, in place: the frozen units' gradients become zero, whatever they were.

        Parameters the mask does not name, and those without a gradient, are left alone. Call it
        after backward and before clipping.

        Args:
            model: a model whose `.grad` are filled.

        Raises:
            ModelError: a parameter has another shape than the mask, or none has a gradient at all
                (DeepSpeed's ZeRO keeps gradients elsewhere; a mask would silently do nothing).
        """
        has_gradient = False
        for name, parameter in model.named_parameters():
            bits, gradient = self.units.get(name), parameter.grad
            if bits is None or gradient is None:
                continue
            has_gradient = True
            shape = tuple(parameter.shape)
            if unit_count(shape, self.axes[name]) != bits.numel():
                raise ModelError(
                    f"{name} has shape {shape} but the mask has {bits.numel()} units for it; use a "
                    "mask made for this model"
                )
            frozen = local_part(broadcast_units(~bits, shape, self.axes[name]), gradient)
            # a product would keep NaN and infinity
            local(gradient).masked_fill_(frozen.to(gradient.device), 0)
        if not has_gradient:
            raise ModelError(
                "no masked parameter has a gradient; project after backward, and not under "
                "DeepSpeed ZeRO stages, which keep gradients elsewhere"
            )

    def save(self, path: Path | str) -> None:
        """Write the mask to `path`.safetensors, eight units to a byte, its record in the header.

        Args:
            path: with or without `.safetensors`.
        """
        write_tensors(_file(path), pack(self.units), self._record())

    def to_bytes(self) -> bytes:
        """The content of the file that `save` writes."""
        return tensor_bytes(pack(self.units), self._record())

    def digest(self) -> str:
        """16 hex digits over the parameters' names and the bits, whatever `info` says."""
        return tensors_digest(pack(self.units))

    def _record(self) -> dict[str, Any]:
        return record_of(self.units, self.axes, asdict(self.info))

    @classmethod
    def load(cls, path: Path | str) -> "Mask":
        """Read what `save` wrote.

        Args:
            path: with or without `.safetensors`.

        Returns:
            The mask, with its record.

        Raises:
            DataError: there is no such file, or it holds no mask.
        """
        file = _file(path)
        units, axes, record = read_mask(file)
        info = checked(MaskInfo, record, partial(unreadable, file, WHAT))
        return cls(units, axes, replace(info, scope=check_scope(info.scope, stored=True)))


def count_bits(bits: Tensor) -> int:
    """Count the bits that are set.

    NumPy counts in one thread. Torch starts several for the sum of a large tensor, which takes
    longer than the sum itself where there are hundreds of parameters.

    Args:
        bits: (units,) bool tensor.

    Returns:
        The number of True entries.
    """
    return int(np.count_nonzero(bits.cpu().numpy()))


def check_same_units(a: Mask, b: Mask) -> None:
    """Check that two masks are over the same units.

    Args:
        a: a mask.
        b: another mask.

    Raises:
        SettingError: their parameters, unit counts or axes differ.
    """
    if a.units.keys() != b.units.keys():
        name = min(a.units.keys() ^ b.units.keys())
        raise SettingError(
            f"only one of the two masks has {name}; use mask.restricted(names) to compare the rest"
        )
    for name, bits in a.units.items():
        if bits.shape != b.units[name].shape or a.axes[name] != b.axes[name]:
            raise SettingError(
                f"the two masks have other units for {name}; were they for one model?"
            )


def _file(path: Path | str) -> Path:
    path = Path(path)
    return path if path.suffix == ".safetensors" else Path(f"{path}.safetensors")


def _layout(like: "FisherScores | Mask | nn.Module") -> tuple[dict[str, int], dict[str, int]]:
    """Each parameter's unit axis and number of units."""
    if isinstance(like, nn.Module):
        axes = unit_axes(like)
        shapes = {name: tuple(p.shape) for name, p in like.named_parameters()}
        return axes, {name: unit_count(shapes[name], axis) for name, axis in axes.items()}
    return dict(like.axes), {name: values.numel() for name, values in like.units.items()}
