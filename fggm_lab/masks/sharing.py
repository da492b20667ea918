"""How many masks keep each unit, how much of the model masks use up, and what random masks would.

Random masks here are as many masks, each of which keeps as many units of every parameter as the
given one, drawn independently and uniformly. Mask t then keeps a unit with probability p_t = kept
units / units of the unit's parameter, and the number of masks that keep it is Poisson-binomial. The
units of one parameter are not independent (a mask that keeps one has fewer left to keep), so
variances are summed over pairs of units.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fggm_lab.errors import SettingError
from fggm_lab.masks.mask import Mask, check_same_units, count_bits


def sharing(masks: Mapping[str, Mask]) -> list[dict[str, Any]]:
    """Count the units that exactly k of the masks keep, for k from none to all.

    Args:
        masks: task → its mask, at least one, all of one model.

    Returns:
        One row per k: `masks` (k), `units`, and for random masks their mean and standard deviation,
        `expected` and `sd`.

    Raises:
        SettingError: there is no mask, or they are of different models.
    """
    checked = _checked(masks)
    counted = np.zeros(len(checked) + 1, dtype=np.int64)
    for name in checked[0].units:
        keepers = sum(mask.units[name].cpu().numpy().astype(np.uint16) for mask in checked)
        counted += np.bincount(keepers, minlength=len(checked) + 1)
    mean = np.zeros(len(checked) + 1)
    variance = np.zeros(len(checked) + 1)
    units, kept_counts = _counts(checked)
    sizes = Counter(map(tuple, np.column_stack([units, kept_counts]).tolist()))
    for (n, *counts), times in sizes.items():
        single, double = _one_unit(n, counts), np.diagonal(_two_units(n, counts))
        mean += times * n * single
        variance += times * (n * single * (1 - single) + n * (n - 1) * (double - single**2))
    return [
        {"masks": k, "units": int(counted[k]), "expected": float(mean[k]),
         "sd": _sd(variance[k], units)}
        for k in range(len(checked) + 1)
    ]  # fmt: skip


def usage(masks: Mapping[str, Mask]) -> list[dict[str, Any]]:
    """Count the units that any mask has kept so far, mask by mask.

    Args:
        masks: task → its mask, in the order the tasks are learned.

    Returns:
        One row per mask: `task`, `kept` (by it), `fresh` (by it and by none before), `used` (by any
        so far), for random masks the means of the last two, `expected_fresh` and `expected_used`,
        and the standard deviation `sd` of `used`.

    Raises:
        SettingError: there is no mask, or they are of different models.
    """
    checked = _checked(masks)
    units, kept_counts = _counts(checked)
    n, free = units[:, None], units[:, None] - kept_counts
    single = np.cumprod(free / n, axis=1)  # probability that no mask so far keeps a unit
    double = np.cumprod(free * (free - 1) / np.maximum(1, n * (n - 1)), axis=1)  # nor another unit
    variance = (n * single * (1 - single) + n * (n - 1) * (double - single**2)).sum(0)
    expected = (n * (1 - single)).sum(0)
    rows: list[dict[str, Any]] = []
    union = {
        name: np.zeros(bits.numel(), dtype=np.bool_) for name, bits in checked[0].units.items()
    }
    used = 0
    for index, (task, mask) in enumerate(masks.items()):
        for name, bits in mask.units.items():
            union[name] |= bits.cpu().numpy()
        before, used = used, sum(int(np.count_nonzero(bits)) for bits in union.values())
        expected_fresh = (
            float(expected[index] - expected[index - 1]) if index else float(expected[0])
        )
        rows.append(
            {"task": task, "kept": mask.count, "fresh": used - before, "used": used,
             "expected_fresh": expected_fresh, "expected_used": float(expected[index]),
             "sd": _sd(variance[index], units)}
        )  # fmt: skip
    return rows


def _checked(masks: Mapping[str, Mask]) -> list[Mask]:
    checked = list(masks.values())
    if not checked:
        raise SettingError("there is no mask to count; give those of at least one task")
    for mask in checked[1:]:
        check_same_units(checked[0], mask)
    return checked


def _counts(masks: Sequence[Mask]) -> tuple[np.ndarray, np.ndarray]:
    """The (parameters,) numbers of units and the (parameters, masks) numbers of kept units."""
    names = [name for name, bits in masks[0].units.items() if bits.numel()]
    units = np.array([masks[0].units[name].numel() for name in names], dtype=np.int64)
    kept_counts = [[count_bits(mask.units[name]) for mask in masks] for name in names]
    return units, np.array(kept_counts, dtype=np.int64).reshape(len(names), len(masks))


def _one_unit(n: int, counts: Sequence[int]) -> np.ndarray:
    """(masks + 1,) probabilities that a unit is kept by exactly k masks (Poisson-binomial)."""
    probabilities = np.ones(1)
    for a in counts:
        probabilities = np.convolve(probabilities, [1 - a / n, a / n])
    return probabilities


def _two_units(n: int, counts: Sequence[int]) -> np.ndarray:
    """(masks + 1, masks + 1) probabilities that one unit is kept by j masks and another by k."""
    probabilities = np.zeros((len(counts) + 1, len(counts) + 1))
    probabilities[0, 0] = 1
    ways = max(1, n * (n - 1))
    for a in counts:
        neither, single, both = (n - a) * (n - a - 1) / ways, a * (n - a) / ways, a * (a - 1) / ways
        before = probabilities
        probabilities = neither * before
        probabilities[1:] += single * before[:-1]
        probabilities[:, 1:] += single * before[:, :-1]
        probabilities[1:, 1:] += both * before[:-1, :-1]
    return probabilities


def _sd(variance: float, units: np.ndarray) -> float:
    """The root of a variance; 0 where it is no larger than the rounding error of its terms."""
    return math.sqrt(variance) if variance > 1e-14 * float((units**2).sum()) else 0.0
