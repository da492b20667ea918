"""The checks on overlap accept right answers and name the usual mistakes."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from scipy.stats import binom, hypergeom

from fggm_lab.course.exercises.overlap import (
    check_chance_overlap,
    check_sharers,
    check_union_share,
    check_z_score,
)


def z(shared: int, n: int, a: int, b: int) -> float:
    return (shared - hypergeom.mean(n, a, b)) / hypergeom.std(n, a, b)


def test_right_answers_pass() -> None:
    assert check_chance_overlap(lambda p: p / (2 - p)).startswith("Right")
    assert check_union_share(lambda p, k: 1 - (1 - p) ** k).startswith("Right")
    assert check_sharers(lambda p, t, k: float(binom.pmf(k, t, p))).startswith("Right")
    assert check_z_score(z).startswith("Right")


def test_the_numbers_told_are_true() -> None:
    assert round(0.3 / 1.7, 3) == 0.176
    assert round(1 - 0.7**8, 2) == 0.94


@pytest.mark.parametrize(
    ("check", "answer", "says"),
    [
        (check_chance_overlap, lambda p: p * p, "divide"),
        (check_chance_overlap, lambda p: p / 2, "less than 2p"),
        (check_chance_overlap, lambda p: p, "overlap coefficient"),
        (check_chance_overlap, lambda p: 0.2, "0.176"),
        (check_chance_overlap, lambda p: None, "nothing comes back"),
        (check_union_share, lambda p, k: k * p, "do not just add up"),
        (check_union_share, lambda p, k: min(1, k * p), "in none"),
        (check_union_share, lambda p, k: (1 - p) ** k, "the rest"),
        (check_union_share, lambda p, k: p**k, "all k masks keep"),
        (check_union_share, lambda p, k: 1 - p**k, "not in every mask"),
        (check_union_share, lambda p, k: p, "for p = 0.3, k = 2 it should be 0.510"),
        (check_sharers, lambda p, t, k: p**k * (1 - p) ** (t - k), "math.comb"),
        (check_sharers, lambda p, t, k: math.comb(t, k) * p**k, "must not keep it"),
        (check_sharers, lambda p, t, k: float(binom.sf(k - 1, t, p)), "or more"),
        (check_sharers, lambda p, t, k: "all", "return a number"),
        (check_z_score, lambda s, n, a, b: z(s, n, a, b) / hypergeom.std(n, a, b), "root"),
        (check_z_score, lambda s, n, a, b: s - a * b / n, "divide it by the standard"),
        (check_z_score, lambda s, n, a, b: -z(s, n, a, b), "sign"),
        (
            check_z_score,
            lambda s, n, a, b: (s - a * b / n) / math.sqrt(a * b / n * (1 - b / n)),
            "(n − a)",
        ),
        (
            check_z_score,
            lambda s, n, a, b: (s - a * b / n) / math.sqrt(a * b / n * (1 - a / n)),
            "(n − b)",
        ),
        (check_z_score, lambda s, n, a, b: (s - a * b / n) / math.sqrt(a * b / n), "Poisson"),
        (check_z_score, lambda s, n, a, b: 0, "it should be"),
    ],
)
def test_mistakes(check: Callable[..., str], answer: Callable[..., Any], says: str) -> None:
    message = check(answer)
    assert message.startswith("Not yet") and says in message
