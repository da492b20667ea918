"""Checks on a real model accept right answers and name what is wrong with others."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from fggm_lab.course.exercises.real_model import check_factor, check_held, check_spread


def test_right_answers() -> None:
    for message in (
        check_held(lambda scores, count: sum(sorted(scores)[-count:]) / sum(scores)),
        check_spread(lambda score, answers: (4 * score * (1 - score) / answers) ** 0.5),
        check_factor(lambda before, after: math.e ** (before - after)),
    ):
        assert message.startswith("Right")


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (check_held, lambda scores, count: sum(scores[:count]) / sum(scores), "not the highest"),
        (check_held, lambda scores, count: sum(sorted(scores)[:count]) / sum(scores), "the lowest"),
        (check_held, lambda scores, count: sum(sorted(scores)[-count:]), "the sum of all"),
        (check_held, lambda scores, count: 1.5, "it should be"),
        (check_spread, lambda p, n: math.sqrt(p * (1 - p) / n), "one standard error"),
        (check_spread, lambda p, n: 2 * math.sqrt(p * (1 - p)), "single answers"),
        (check_spread, lambda p, n: 2 * math.sqrt(p * (1 - p)) / n, "under the root"),
        (check_spread, lambda p, n: 1 / math.sqrt(n), "the largest it can be"),
        (check_spread, lambda p, n: None, "nothing comes back"),
        (check_factor, lambda before, after: math.exp(after - before), "the inverse"),
        (check_factor, lambda before, after: before / after, "ratio of losses"),
        (check_factor, lambda before, after: before - after, "its exponential"),
        (check_factor, lambda before, after: 7.0, "it should be"),
    ],
)
def test_mistakes(check: Callable[..., str], answer: Callable[..., Any], hint: str) -> None:
    message = check(answer)
    assert message.startswith("Not yet") and hint in message
