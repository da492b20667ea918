"""pass@k against the plain definition: the share of k-subsets in which something passed."""

from itertools import combinations

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.tasks.code import mean_pass_at_k, pass_at_k


@pytest.mark.parametrize("n", range(1, 8))
def test_it_is_the_share_of_choices_of_k_that_hold_a_passing_one(n: int) -> None:
    for c in range(n + 1):
        passed = [True] * c + [False] * (n - c)
        for k in range(1, n + 1):
            choices = list(combinations(passed, k))
            share = sum(any(choice) for choice in choices) / len(choices)
            assert pass_at_k(n, c, k) == pytest.approx(share, abs=1e-12)


def test_large_numbers_stay_exact() -> None:
    assert pass_at_k(200, 1, 100) == pytest.approx(0.5)
    assert pass_at_k(100_000, 1, 1) == pytest.approx(1e-5)
    assert pass_at_k(100_000, 0, 100) == 0.0


def test_the_mean_is_over_problems_whatever_their_number_of_completions() -> None:
    assert mean_pass_at_k([(2, 1), (4, 4), (3, 0)], 1) == pytest.approx((0.5 + 1 + 0) / 3)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 4), (3, 1, 0), (0, 0, 1), (3, 4, 1), (3, -1, 1)])
def test_what_cannot_be_is_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(SettingError):
        pass_at_k(n, c, k)


def test_no_problem_has_no_mean() -> None:
    with pytest.raises(SettingError, match="at least one"):
        mean_pass_at_k([], 1)
