"""Masks: which units may move, their set algebra, and how much masks overlap beyond chance."""

from fggm_lab.mask_settings import SCOPES, Scope
from fggm_lab.masks.heads import Head, without_heads
from fggm_lab.masks.mask import Mask, MaskInfo
from fggm_lab.masks.moving import moving_units
from fggm_lab.masks.overlap import (
    expected_jaccard,
    expected_overlap,
    jaccard,
    matrix,
    overlap_coefficient,
    per_layer,
    z_score,
)
from fggm_lab.masks.ranking import Ranking
from fggm_lab.masks.selection import select
from fggm_lab.masks.sharing import sharing, usage
from fggm_lab.masks.stability import examples_needed, mask_stability

__all__ = [
    "SCOPES",
    "Head",
    "Mask",
    "MaskInfo",
    "Ranking",
    "Scope",
    "examples_needed",
    "expected_jaccard",
    "expected_overlap",
    "jaccard",
    "mask_stability",
    "matrix",
    "moving_units",
    "overlap_coefficient",
    "per_layer",
    "select",
    "sharing",
    "usage",
    "without_heads",
    "z_score",
]
