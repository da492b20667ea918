"""Which share of the entries that may move has changed: in 16 bits small steps are rounded away."""

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fggm_lab.masks import Mask
from fggm_lab.models.units import broadcast_units, unit_count
from fggm_lab.training.unit_index import UnitIndex

FEW_CHANGED = 0.5
"""Below this share training is said to hardly train."""

MEASURED_STEPS = 24
"""After so many steps a training looks at itself."""

_SAMPLE = 2**20
"""About how many entries of a model are watched."""


@torch.no_grad()
def changed_share(
    before: Mapping[str, Tensor], model: nn.Module, mask: Mask | None = None
) -> float | None:
    """The share of entries that may move whose value is another than before.

    Args:
        before: parameters' earlier values by name, anywhere.
        model: as it is now.
        mask: which units may move; None, and parameters it does not name: all.

    Returns:
        From 0 to 1; None if no entry may move.
    """
    changed = total = 0
    for name, parameter in model.named_parameters():
        moved = parameter.detach().cpu() != before[name].detach().cpu()
        bits = None if mask is None else mask.units.get(name)
        if bits is not None and mask is not None:
            moving = broadcast_units(bits.cpu(), tuple(moved.shape), mask.axes[name])
            moved &= moving
            total += moved.numel() // max(1, moving.numel()) * int(moving.sum())
        elif parameter.requires_grad:
            total += moved.numel()
        changed += int(moved.sum())
    return changed / total if total else None


def few_changed(
    before: Mapping[str, Tensor], model: nn.Module, mask: Mask | None = None
) -> float | None:
    """`changed_share` of a model that trains in 16 bits, if few entries have changed; else None."""
    if not trains_in_16_bits(model):
        return None
    share = changed_share(before, model, mask)
    return None if share is None or share >= FEW_CHANGED else share


def trains_in_16_bits(model: nn.Module) -> bool:
    """Whether a parameter that trains has 16 bits or fewer."""
    return any(p.requires_grad and p.dtype.itemsize <= 2 for p in model.parameters())


def warn_of_few(share: float, steps: int, dtype: torch.dtype) -> None:
    """Say that 16-bit weights hardly train.

    Args:
        share: of the entries that may move, those that have changed.
        steps: that were taken.
        dtype: of the weights.
    """
    warnings.warn(
        f"{share:.1%} of the entries that may move have changed after {steps} steps: the steps of "
        f"the others are rounded away in {str(dtype).removeprefix('torch.')}, so that little is "
        "learned, and little forgotten; load the model in float32 and compute in bfloat16 "
        "(autocast), or train with a larger learning rate",
        stacklevel=3,
    )


class ChangedEntries:
    """Watches entries of 16-bit weights through the first steps of a training.

    Attributes:
        share: of those that may move, which have changed; None before it is measured, and where no
            weights of 16 bits train.
    """

    def __init__(self, model: nn.Module, mask: Mask | None) -> None:
        """Copy a sample of the entries that may move, as many of every parameter.

        Args:
            model: before its first step.
            mask: which units may move; None lets all.
        """
        self.share: float | None = None
        self._steps = 0
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        half = [(name, parameter) for name, parameter in named if parameter.dtype.itemsize <= 2]
        self._starts: list[tuple[nn.Parameter, UnitIndex, Tensor]] = []
        for name, parameter in half:
            axis = 0 if mask is None else mask.axes.get(name, 0)
            count = unit_count(tuple(parameter.shape), axis)
            bits = None if mask is None else mask.units.get(name)
            moving = torch.arange(count) if bits is None else bits.nonzero().flatten().cpu()
            size = -(-_SAMPLE * count // (len(half) * max(1, parameter.numel())))
            sample = torch.zeros(count, dtype=torch.bool)
            sample[moving[:: max(1, len(moving) // size)]] = True
            units = UnitIndex.of(parameter, sample, axis)
            self._starts.append((parameter, units, units.select(parameter)))

    def step(self) -> None:
        """Count a step that was taken; after the first ones, measure."""
        self._steps += 1
        if self._steps == MEASURED_STEPS:
            self.measure()

    def measure(self) -> None:
        """Find out the share, once, and warn if it is small."""
        if self.share is not None or not self._steps:
            return
        moved = [units.select(p) != start for p, units, start in self._starts]
        total = sum(entries.numel() for entries in moved)
        if not total:
            return
        self.share = sum(int(entries.sum()) for entries in moved) / total
        if self.share < FEW_CHANGED:
            warn_of_few(self.share, self._steps, self._starts[0][0].dtype)
        self._starts = []
