"""Checks on self-kl accept right answers and name what is wrong with others."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from fggm_lab.course.exercises.own_texts import check_cost, check_divergence, check_merged


def divergence(then: list[float], now: list[float]) -> float:
    return sum(p * math.log(p / q) for p, q in zip(then, now, strict=True))


def merged(then: list[float], now: list[float]) -> float:
    return divergence([*then, 1 - sum(then)], [*now, 1 - sum(now)])


def test_right_answers() -> None:
    for message in (
        check_divergence(divergence),
        check_merged(merged),
        check_cost(lambda batch, texts, every: (batch * every + texts) / (batch * every)),
    ):
        assert message.startswith("Right")


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (check_divergence, lambda then, now: divergence(now, then), "what the model thought then"),
        (check_divergence, lambda then, now: -divergence(then, now), "sign"),
        (
            check_divergence,
            lambda then, now: -sum(p * math.log(q) for p, q in zip(then, now, strict=True)),
            "cross-entropy",
        ),
        (
            check_divergence,
            lambda then, now: math.log(math.prod(then) / math.prod(now)),
            "counts alike",
        ),
        (check_merged, divergence, "left out"),
        (
            check_merged,
            lambda then, now: (
                divergence(then, now) + (1 - sum(now)) * math.log((1 - sum(then)) / (1 - sum(now)))
            ),
            "as it was then",
        ),
        (check_cost, lambda batch, texts, every: (batch + texts) / batch, "by `every`"),
        (check_cost, lambda batch, texts, every: texts / batch / every, "the batch itself is 1"),
        (check_cost, lambda batch, texts, every: batch + texts / every, "divide it by the batch"),
        (check_cost, lambda batch, texts, every: None, "nothing comes back"),
        (check_cost, lambda batch, texts, every: 7.0, "it should be"),
    ],
)
def test_mistakes(check: Callable[..., str], answer: Callable[..., Any], hint: str) -> None:
    message = check(answer)
    assert message.startswith("Not yet") and hint in message
