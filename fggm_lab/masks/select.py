"""Choosing exactly as many of the highest-scored units as a keep share asks for."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from fggm_lab.errors import DataError, SettingError

SCOPES = ("layer", "global")
"""Where a keep share holds: within each parameter, or over all units of the model."""


def kept_count(keep: float, units: int) -> int:
    """How many of `units` a keep share keeps: Python's round(keep · units).

    Raises:
        SettingError: `keep` is outside (0, 1].
    """
    if isinstance(keep, bool) or not isinstance(keep, (int, float)) or not 0 < keep <= 1:
        raise SettingError(
            f"keep is {keep!r}; it is the share of units that may move, above 0 and at most 1"
        )
    return round(keep * units)


def check_scope(scope: str) -> None:
    """Refuse a scope that is none of `SCOPES`.

    Raises:
        SettingError: it is.
    """
    if scope not in SCOPES:
        raise SettingError(f"no scope is named '{scope}'; choose {' or '.join(SCOPES)}")


def check_scores(values: Mapping[str, np.ndarray]) -> None:
    """Refuse scores that have no order.

    Raises:
        DataError: one is not a number; names its parameter.
    """
    for name, array in values.items():
        if array.size and math.isnan(float(array.sum())):
            raise DataError(f"the scores of {name} contain NaN; score the model anew")


def select(values: Mapping[str, np.ndarray], keep: float, scope: str) -> dict[str, Tensor]:
    """The bits of the highest values, exactly as many as asked for."""
    check_scope(scope)
    kept_count(keep, 0)
    check_scores(values)
    if scope == "layer":
        return {
            n: torch.from_numpy(_highest(v, kept_count(keep, v.size))) for n, v in values.items()
        }
    flat = np.concatenate(list(values.values())) if values else np.zeros(0)
    bits = torch.from_numpy(_highest(flat, kept_count(keep, flat.size)))
    parts = bits.split([array.size for array in values.values()])
    return {name: part.clone() for name, part in zip(values, parts, strict=True)}


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    """(n,) bools, True at the `count` highest values; among equals, at the first ones."""
    if count >= values.size:
        return np.ones(values.size, dtype=np.bool_)
    if count == 0:
        return np.zeros(values.size, dtype=np.bool_)
    place = values.size - count
    threshold = np.partition(values, place)[place]
    bits = values > threshold
    missing = count - int(np.count_nonzero(bits))
    bits[np.flatnonzero(values == threshold)[:missing]] = True
    return bits
