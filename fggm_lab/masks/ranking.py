"""Ranks of scores: sorted once, cut at any keep share by a comparison."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import Scope, check_scope, kept_count
from fggm_lab.masks.mask import Mask, MaskInfo
from fggm_lab.masks.select import check_scores


class Ranking:
    """Every unit's place among the scores, from which a mask of any keep share is read off.

    A mask keeps the units whose rank lies below a count, so that moving the keep share compares
    integers where `Mask.top` looks for a threshold anew. Both give the same mask, ties included.
    Ranks take 4 bytes per unit and scope, and are made when a scope is first asked for.

    Attributes:
        scores: what is ranked.
    """

    def __init__(self, scores: FisherScores) -> None:
        """Rank the units of `scores`.

        Raises:
            DataError: a score is not a number.
        """
        self.scores = scores
        self._values = {name: s.detach().cpu().numpy() for name, s in scores.units.items()}
        check_scores(self._values)
        self._sizes = [array.size for array in self._values.values()]

    def top(self, keep: float, scope: Scope = "parameter") -> Mask:
        """The mask that `Mask.top(scores, keep, scope)` gives.

        Args:
            keep, scope: as in `Mask.top`.

        Raises:
            SettingError: `keep` or `scope` is outside what it may be.
        """
        scope = check_scope(scope)
        if scope == "parameter":
            counts = np.array([kept_count(keep, n) for n in self._sizes], dtype=np.int32)
            kept = self._within < np.repeat(counts, self._sizes)
        else:
            kept = self._among_all < kept_count(keep, sum(self._sizes))
        info = MaskInfo(keep, scope, "top", task=self.scores.info.task)
        return Mask(self._per_parameter(kept), dict(self.scores.axes), info)

    def kept(self, keeps: Sequence[float], scope: Scope = "parameter") -> np.ndarray:
        """How many units of each parameter `top` would keep, for many keep shares at once.

        Args:
            keeps: keep shares, in any order.
            scope: as in `Mask.top`.

        Returns:
            (keeps, parameters) counts, parameters in the order of `scores.names`.

        Raises:
            SettingError: `scope` or a keep share is outside what it may be.
        """
        scope = check_scope(scope)
        if scope == "parameter":
            counts = [[kept_count(keep, n) for n in self._sizes] for keep in keeps]
            return np.array(counts, dtype=np.int64).reshape(len(keeps), len(self._sizes))
        totals = np.array([kept_count(keep, sum(self._sizes)) for keep in keeps], dtype=np.int64)
        owners = np.empty(sum(self._sizes), dtype=np.int32)  # of the units, highest score first
        owners[self._among_all] = np.repeat(np.arange(len(self._sizes)), self._sizes)
        order = np.argsort(totals)
        gained = [
            np.bincount(some, minlength=len(self._sizes))
            for some in np.split(owners, totals[order])[:-1]
        ]
        kept = np.empty((len(keeps), len(self._sizes)), dtype=np.int64)
        kept[order] = np.cumsum(gained, axis=0).reshape(kept.shape)
        return kept

    @cached_property
    def _within(self) -> np.ndarray:
        """(units,) ranks among the units of the same parameter, 0 for the highest score."""
        return _joined([_ranks(values) for values in self._values.values()])

    @cached_property
    def _among_all(self) -> np.ndarray:
        """(units,) ranks among all units of the model."""
        return _ranks(_joined(list(self._values.values())))

    def _per_parameter(self, kept: np.ndarray) -> dict[str, Tensor]:
        """One array of all units' bits, seen parameter by parameter."""
        parts = torch.from_numpy(kept).split(self._sizes)
        return dict(zip(self._values, parts, strict=True))


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) 0 for the highest value; among equals the first comes first."""
    ranks = np.empty(values.size, dtype=np.int32)
    ranks[np.argsort(-values, kind="stable")] = np.arange(values.size, dtype=np.int32)
    return ranks


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int32)
