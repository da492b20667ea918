"""Ranks of scores: sorted once, then compared with a count for any keep share."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import Scope, check_scope, kept_count
from fggm_lab.masks.mask import Mask, MaskInfo
from fggm_lab.masks.selection import check_scores


class Ranking:
    """Every unit's rank among the scores, from which a mask of any keep share follows.

    A mask keeps the units whose rank is below a count, so that another keep share costs one
    comparison of integers, where `Mask.top` searches for a threshold again. Both give the same
    mask, also among equal scores. Ranks take 4 bytes per unit and scope, and are computed when a
    scope is first used.

    Attributes:
        scores: the ranked scores.
    """

    def __init__(self, scores: FisherScores) -> None:
        """Check the scores; ranks are computed when they are needed.

        Args:
            scores: one score per unit.

        Raises:
            DataError: a score is not a number.
        """
        self.scores = scores
        self._values = {name: s.detach().cpu().numpy() for name, s in scores.units.items()}
        check_scores(self._values)
        self._sizes = [array.size for array in self._values.values()]

    def top(self, keep: float, scope: Scope = "parameter") -> Mask:
        """The mask that `Mask.top(scores, keep, scope)` gives, without a seed.

        Args:
            keep: the share of units that may move, in (0, 1].
            scope: whether the share holds within each `parameter` or over all units (`global`).

        Returns:
            A mask over the parameters that have scores.

        Raises:
            SettingError: `keep` or `scope` is outside what it may be.
        """
        scope = check_scope(scope)
        if scope == "parameter":
            counts = np.array([kept_count(keep, n) for n in self._sizes], dtype=np.int32)
            bits = self._within < np.repeat(counts, self._sizes)
        else:
            bits = self._among_all < kept_count(keep, sum(self._sizes))
        info = MaskInfo(keep, scope, "top", task=self.scores.info.task)
        return Mask(self._per_parameter(bits), dict(self.scores.axes), info)

    def kept_counts(self, keeps: Sequence[float], scope: Scope = "parameter") -> np.ndarray:
        """How many units of each parameter `top` would keep, for many keep shares at once.

        Args:
            keeps: keep shares, in any order.
            scope: whether a share holds within each `parameter` or over all units (`global`).

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
            np.bincount(added, minlength=len(self._sizes))
            for added in np.split(owners, totals[order])[:-1]
        ]
        counts_kept = np.empty((len(keeps), len(self._sizes)), dtype=np.int64)
        counts_kept[order] = np.cumsum(gained, axis=0).reshape(counts_kept.shape)
        return counts_kept

    @cached_property
    def _within(self) -> np.ndarray:
        """(units,) ranks among the units of the same parameter, 0 for the highest score."""
        return _joined([_ranks(values) for values in self._values.values()])

    @cached_property
    def _among_all(self) -> np.ndarray:
        """(units,) ranks among all units of the model."""
        return _ranks(_joined(list(self._values.values())))

    def _per_parameter(self, bits: np.ndarray) -> dict[str, Tensor]:
        """Split one array of all units' bits by parameter."""
        parts = torch.from_numpy(bits).split(self._sizes)
        return dict(zip(self._values, parts, strict=True))


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) 0 for the highest value; among equals the first comes first."""
    ranks = np.empty(values.size, dtype=np.int32)
    ranks[np.argsort(-values, kind="stable")] = np.arange(values.size, dtype=np.int32)
    return ranks


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int32)
