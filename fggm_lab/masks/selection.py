"""Choosing exactly as many of the highest-scored units as a keep share asks for."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fggm_lab.errors import DataError
from fggm_lab.mask_settings import Scope, check_keep, check_scope, kept_count


def check_scores(values: Mapping[str, np.ndarray]) -> None:
    """Refuse scores that have no order.

    Raises:
        DataError: one is not a number; names its parameter.
    """
    for name, array in values.items():
        if array.size and math.isnan(float(array.sum())):
            raise DataError(f"the scores of {name} contain NaN; score the model anew")


def select(
    values: Mapping[str, np.ndarray], keep: float, scope: Scope, seed: int | None = None
) -> dict[str, Tensor]:
    """Mark the units with the highest scores, exactly as many as a keep share asks for.

    Args:
        values: parameter name → (units,) scores.
        keep: the share of units to mark, in (0, 1].
        scope: whether the share holds within each parameter or over all units.
        seed: draws who gets the last places where more units of equal scores are left than places;
            None: the units that come first. Without such units it changes nothing.

    Returns:
        Parameter name → (units,) bool tensor, True at the units that are kept.

    Raises:
        SettingError: `keep` or `scope` is outside what it may be.
        DataError: a score is not a number.
    """
    scope = check_scope(scope)
    check_keep(keep)
    check_scores(values)
    if scope == "parameter":
        return {
            name: torch.from_numpy(_highest(scores, kept_count(keep, scores.size), seed, index))
            for index, (name, scores) in enumerate(values.items())
        }
    flat = np.concatenate(list(values.values())) if values else np.zeros(0)
    bits = torch.from_numpy(_highest(flat, kept_count(keep, flat.size), seed))
    parts = bits.split([array.size for array in values.values()])
    return {name: part.clone() for name, part in zip(values, parts, strict=True)}


def _highest(values: np.ndarray, count: int, seed: int | None, index: int = 0) -> np.ndarray:
    """Mark the highest values.

    Args:
        values: (n,) numbers.
        count: how many to mark.
        seed: draws which of the values that equal the lowest marked one are marked; None: the
            first ones.
        index: of the parameter, so that each has draws of its own.

    Returns:
        (n,) bools, `count` of them True.
    """
    if count >= values.size:
        return np.ones(values.size, dtype=np.bool_)
    if count == 0:
        return np.zeros(values.size, dtype=np.bool_)
    rank = values.size - count
    threshold = np.partition(values, rank)[rank]
    bits = values > threshold
    missing = count - int(np.count_nonzero(bits))
    equal = np.flatnonzero(values == threshold)
    if seed is not None and missing < equal.size:
        equal = np.random.Generator(np.random.PCG64([seed, index])).permutation(equal)
    bits[equal[:missing]] = True
    return bits
