"""Rank correlation is Spearman's ρ, worked out by hand."""

import math

import numpy as np
import pytest

from fggm_lab.fisher.ranks import rank_correlation


def test_rank_correlation_shares_ranks_among_equals() -> None:
    a, b = np.array([1.0, 2, 2, 5]), np.array([10.0, 20, 30, 40])
    # ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4
    assert rank_correlation(a, b) == pytest.approx(4.5 / math.sqrt(4.5 * 5))
    assert rank_correlation(a, a) == pytest.approx(1)
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.ones(4)) is None
