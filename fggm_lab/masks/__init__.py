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
from fggm_lab.masks.stability import examples_needed, mask_stability

__all__ = [
    "SCOPES",
    "Mask",
    "MaskInfo",
    "examples_needed",
    "expected_jaccard",
    "jaccard",
    "mask_stability",
    "matrix",
    "overlap_coefficient",
    "per_layer",
    "z_score",
]
