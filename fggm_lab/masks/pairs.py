"""Counts of units that every two masks share, from which overlap and its chance level follow."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fggm_lab.masks import chance
from fggm_lab.masks.mask import Mask, check_same_units
from fggm_lab.models.names import split_name


@dataclass(frozen=True)
class Pair:
    """Two masks, parameter by parameter.

    Attributes:
        units: (parameters,) how many units each parameter has.
        first, second, both: (parameters,) how many of them the one mask keeps, the other, both.
    """

    units: np.ndarray
    first: np.ndarray
    second: np.ndarray
    both: np.ndarray

    @property
    def jaccard(self) -> float | None:
        """|a ∩ b| / |a ∪ b|; None if both are empty."""
        both = int(self.both.sum())
        union = int(self.first.sum() + self.second.sum()) - both
        return both / union if union else None

    @property
    def overlap(self) -> float | None:
        """|a ∩ b| / min(|a|, |b|); None if one is empty."""
        return int(self.both.sum()) / self._smaller if self._smaller else None

    @property
    def expected_jaccard(self) -> float | None:
        """The mean Jaccard index of chance masks of the same counts."""
        return chance.mean_jaccard(self.units, self.first, self.second)

    @property
    def expected_overlap(self) -> float | None:
        """The mean overlap coefficient of chance masks of the same counts."""
        mean = chance.cumulants(self.units, self.first, self.second).mean
        return mean / self._smaller if self._smaller else None

    @property
    def z(self) -> float | None:
        """Standard deviations of |a ∩ b| above chance; None where chance has no spread."""
        mean, variance, *_ = chance.cumulants(self.units, self.first, self.second)
        return (float(self.both.sum()) - mean) / math.sqrt(variance) if variance > 0 else None

    @property
    def _smaller(self) -> int:
        return int(min(self.first.sum(), self.second.sum()))


@dataclass(frozen=True)
class Counts:
    """Several masks of one model.

    Attributes:
        names: the parameters' names.
        units: (parameters,) how many units each has.
        shared: (parameters, masks, masks) how many of them both masks keep; on the diagonal, how
            many a mask keeps.
    """

    names: tuple[str, ...]
    units: np.ndarray
    shared: np.ndarray

    def pair(self, i: int, j: int) -> Pair:
        """The counts of the i-th and the j-th mask."""
        shared = self.shared
        return Pair(self.units, shared[:, i, i], shared[:, j, j], shared[:, i, j])

    @property
    def layers(self) -> list[int | None]:
        """The layers' numbers in order, then None if a parameter lies outside the layers."""
        return in_order(split_name(name).layer for name in self.names)

    def of_layer(self, layer: int | None) -> "Counts":
        """The counts within one layer.

        Args:
            layer: the layer's number; None for the parameters outside the layers.

        Returns:
            The counts of that layer's parameters.
        """
        indices = [i for i, name in enumerate(self.names) if split_name(name).layer == layer]
        names = tuple(self.names[i] for i in indices)
        return Counts(names, self.units[indices], self.shared[indices])


def count(masks: Sequence[Mask]) -> Counts:
    """Count the units that every two masks share.

    Args:
        masks: at least one, all of one model.

    Returns:
        The counts by parameter.

    Raises:
        SettingError: the masks do not name the same units.
    """
    for mask in masks[1:]:
        check_same_units(masks[0], mask)
    units = np.array([bits.numel() for bits in masks[0].units.values()], dtype=np.int64)
    packed = [_packed(mask) for mask in masks]
    shared = np.zeros((len(units), len(masks), len(masks)), dtype=np.int64)
    for i, first in enumerate(packed):
        for j, second in enumerate(packed[: i + 1]):
            shared[:, i, j] = shared[:, j, i] = _per_parameter(first & second, units)
    return Counts(tuple(masks[0].units), units, shared)


def _packed(mask: Mask) -> np.ndarray:
    """The mask's bits, eight units to a byte; every parameter begins a new byte.

    NumPy counts bits in one thread; sums of torch would spend more time on starting threads than on
    adding, parameter by parameter.

    Returns:
        (bytes,) uint8; the parameters' bytes follow each other.
    """
    parts = [np.packbits(bits.cpu().numpy()) for bits in mask.units.values()]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint8)


def _per_parameter(packed: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(parameters,) how many bits are set in each parameter's bytes."""
    ends = np.cumsum((units + 7) // 8)
    counted = np.concatenate([[0], np.cumsum(np.bitwise_count(packed), dtype=np.int64)])
    return np.diff(counted[ends], prepend=0)


def in_order(layers: Iterable[int | None]) -> list[int | None]:
    """Each layer's number once, in ascending order; None, for parameters outside layers, last."""
    return sorted(set(layers), key=lambda n: (n is None, n or 0))
