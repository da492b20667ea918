"""Masks: which units may move, their set algebra, and how much masks overlap beyond chance."""

from fggm_lab.masks.mask import Mask, MaskInfo
from fggm_lab.masks.overlap import (
    expected_jaccard,
    jaccard,
    matrix,
    overlap_coefficient,
    per_layer,
    z_score,
)
from fggm_lab.masks.select import SCOPES

__all__ = [
    "SCOPES",
    "Mask",
    "MaskInfo",
    "expected_jaccard",
    "jaccard",
    "matrix",
    "overlap_coefficient",
    "per_layer",
    "z_score",
]
