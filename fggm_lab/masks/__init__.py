"""Masks: which units may move, their set algebra, and how much masks overlap beyond chance."""

from fggm_lab.masks.mask import SCOPES, Mask, MaskInfo
from fggm_lab.masks.overlap import (
    expected_jaccard,
    jaccard,
    matrix,
    overlap_coefficient,
    per_layer,
    z_score,
)

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
