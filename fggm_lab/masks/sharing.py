"""How many masks keep each unit, and how much of the model masks use up, beside chance.

Chance: as many masks, each of which keeps as many units of every parameter as the given one, drawn
independently and uniformly. Mask t then keeps a unit with chance p_t = kept / units of the unit's
parameter, and the number of masks that keep it is Poisson-binomial. Units of one parameter are not
independent (a mask that keeps one has fewer left to keep), so spreads come from pairs of units.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fggm_lab.errors import SettingError
from fggm_lab.masks.mask import Mask, check_comparable, count_bits


def sharing(masks: Mapping[str, Mask]) -> list[dict[str, Any]]:
    """How many units are kept by exactly k of the masks, for k from none to all.

    Args:
        masks: task → its mask, at least one, all of one model.

    Returns:
        One row per k: `masks` (k), `units`, and under chance their mean and standard deviation,
        `expected` and `sd`.

    Raises:
        SettingError: there is no mask, or they are of different models.
    """
    found = _checked(masks)
    counted = np.zeros(len(found) + 1, dtype=np.int64)
    for name in found[0].units:
        keepers = sum(mask.units[name].cpu().numpy().astype(np.uint16) for mask in found)
        counted += np.bincount(keepers, minlength=len(found) + 1)
    mean = np.zeros(len(found) + 1)
    variance = np.zeros(len(found) + 1)
    units, kept = _counts(found)
    for (n, *some), times in Counter(map(tuple, np.column_stack([units, kept]).tolist())).items():
        one, two = _one_unit(n, some), np.diagonal(_two_units(n, some))
        mean += times * n * one
        variance += times * (n * one * (1 - one) + n * (n - 1) * (two - one**2))
    return [
        {"masks": k, "units": int(counted[k]), "expected": float(mean[k]),
         "sd": _sd(variance[k], units)}
        for k in range(len(found) + 1)
    ]  # fmt: skip


def usage(masks: Mapping[str, Mask]) -> list[dict[str, Any]]:
    """How many units any mask has kept so far, mask by mask.

    Args:
        masks: task → its mask, in the order the tasks are learned.

    Returns:
        One row per mask: `task`, `kept` (by it), `fresh` (by it and by none before), `used` (by any
        so far), under chance the means of the last two, `expected_fresh` and `expected_used`, and
        the standard deviation `sd` of `used`.

    Raises:
        SettingError: there is no mask, or they are of different models.
    """
    found = _checked(masks)
    units, kept = _counts(found)
    n, free = units[:, None], units[:, None] - kept
    one = np.cumprod(free / n, axis=1)  # no mask so far keeps a unit
    two = np.cumprod(free * (free - 1) / np.maximum(1, n * (n - 1)), axis=1)  # nor another one
    variance = (n * one * (1 - one) + n * (n - 1) * (two - one**2)).sum(0)
    expected = (n * (1 - one)).sum(0)
    rows: list[dict[str, Any]] = []
    union = {name: np.zeros(bits.numel(), dtype=np.bool_) for name, bits in found[0].units.items()}
    used = 0
    for place, (task, mask) in enumerate(masks.items()):
        for name, bits in mask.units.items():
            union[name] |= bits.cpu().numpy()
        before, used = used, sum(int(np.count_nonzero(seen)) for seen in union.values())
        chance = float(expected[place] - expected[place - 1]) if place else float(expected[0])
        rows.append(
            {"task": task, "kept": mask.count, "fresh": used - before, "used": used,
             "expected_fresh": chance, "expected_used": float(expected[place]),
             "sd": _sd(variance[place], units)}
        )  # fmt: skip
    return rows


def _checked(masks: Mapping[str, Mask]) -> list[Mask]:
    found = list(masks.values())
    if not found:
        raise SettingError("there is no mask to count; give those of at least one task")
    for mask in found[1:]:
        check_comparable(found[0], mask)
    return found


def _counts(masks: Sequence[Mask]) -> tuple[np.ndarray, np.ndarray]:
    """(parameters,) units and (parameters, masks) kept ones, of parameters that have units."""
    names = [name for name, bits in masks[0].units.items() if bits.numel()]
    units = np.array([masks[0].units[name].numel() for name in names], dtype=np.int64)
    kept = [[count_bits(mask.units[name]) for mask in masks] for name in names]
    return units, np.array(kept, dtype=np.int64).reshape(len(names), len(masks))


def _one_unit(n: int, kept: Sequence[int]) -> np.ndarray:
    """(masks + 1,) chances that a unit is kept by exactly k masks (Poisson-binomial)."""
    chances = np.ones(1)
    for a in kept:
        chances = np.convolve(chances, [1 - a / n, a / n])
    return chances


def _two_units(n: int, kept: Sequence[int]) -> np.ndarray:
    """(masks + 1, masks + 1) chances that one unit is kept by j masks and another by k."""
    chances = np.zeros((len(kept) + 1, len(kept) + 1))
    chances[0, 0] = 1
    ways = max(1, n * (n - 1))
    for a in kept:
        neither, one, both = (n - a) * (n - a - 1) / ways, a * (n - a) / ways, a * (a - 1) / ways
        before = chances
        chances = neither * before
        chances[1:] += one * before[:-1]
        chances[:, 1:] += one * before[:, :-1]
        chances[1:, 1:] += both * before[:-1, :-1]
    return chances


def _sd(variance: float, units: np.ndarray) -> float:
    """The root of a variance; 0 where it is no more than rounding of the squares it comes from."""
    return math.sqrt(variance) if variance > 1e-14 * float((units**2).sum()) else 0.0
