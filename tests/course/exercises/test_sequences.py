"""The checks on task sequences accept right answers and name the usual mistakes."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from fggm_lab.course.exercises.sequences import (
    HAND,
    check_best_scores,
    check_by_hand,
    check_most_forgotten,
    check_steps,
)


def test_the_three_numbers_by_hand() -> None:
    # last row .5 .6 1; diagonal .8 .7 1; best before the end .9 .7
    lines = check_by_hand(op=0.7, bwt=-0.2, forgot=0.25).splitlines()
    assert [line.split(":")[0] for line in lines] == ["OP", "BWT", "forgetting"]
    assert all("Right" in line for line in lines)
    assert check_by_hand(op=2.1 / 3).startswith("OP: Right: +0.700.\nBWT: Not yet: write a number.")


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"op": 0.833}, "learning accuracy"),
        ({"op": (0.8 + (0.9 + 0.7) / 2 + 0.7) / 3}, "mean OP"),
        ({"op": 0.5}, "last column"),
        ({"op": sum(map(sum, HAND)) / 9}, "all cells"),
        ({"bwt": -0.4 / 3}, "divides by T"),
        ({"bwt": 0.2}, "mind the sign"),
        ({"bwt": -0.25}, "starts on the diagonal"),
        ({"bwt": -0.4}, "that is the sum"),
        ({"forgot": 0.2}, "falls from the diagonal"),
        ({"forgot": -0.25}, "mind the sign"),
        ({"forgot": 0.5}, "that is the sum"),
        ({"forgot": 0.9}, "0.9 is not it"),
        ({"op": ...}, "write a number"),
        ({"op": "0.7"}, "write a number"),
    ],
)
def test_mistakes_by_hand(numbers: dict[str, Any], says: str) -> None:
    message = check_by_hand(**numbers)
    name = {"op": "OP", "bwt": "BWT", "forgot": "forgetting"}[next(iter(numbers))]
    line = next(line for line in message.splitlines() if line.startswith(name))
    assert "Not yet" in line and says in line


def fallen(matrix: list[list[float]], names: list[str], start: Any) -> str:
    return max(names, key=lambda n: start(names.index(n)) - matrix[-1][names.index(n)])


def test_the_most_forgotten_task() -> None:
    right = lambda m, names: fallen(m, names, lambda j: m[j][j])  # noqa: E731
    assert check_most_forgotten(right).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda m, names: names[-1], "no time to be forgotten"),
        (lambda m, names: names[m[-1].index(min(m[-1]))], "lowest score at the end"),
        (lambda m, names: fallen(m, names, lambda j: m[-2][j]), "R[j][j]"),
        (lambda m, names: names[0] if len(names) > 2 else names[1], "no time"),
        (lambda m, names: 0, "return the name"),
        (lambda m, names: None, "nothing comes back"),
    ],
)
def test_mistakes_with_the_most_forgotten_task(answer: Callable[..., Any], says: str) -> None:
    message = check_most_forgotten(answer)
    assert message.startswith("Not yet") and says in message


def test_steps() -> None:
    assert check_steps(lambda n, e, b: -(-n // b) * e).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda n, e, b: n // b * e, "smaller batch of an epoch is a step"),
        (lambda n, e, b: math.ceil(n * e / b), "per epoch"),
        (lambda n, e, b: n * e // b, "drops"),
        (lambda n, e, b: math.ceil(n / b), "one epoch"),
        (lambda n, e, b: n * e, "whole batch"),
        (lambda n, e, b: 0, "it should be 50"),
        (lambda n, e, b: None, "nothing comes back"),
    ],
)
def test_mistakes_with_steps(answer: Callable[..., Any], says: str) -> None:
    message = check_steps(answer)
    assert message.startswith("Not yet") and says in message


def scores_of(
    events: list[dict[str, Any]], use: Any = lambda e: e["final"]
) -> dict[str, list[Any]]:
    scores: dict[str, list[Any]] = {}
    for event in events:
        if event["kind"] == "evaluation" and use(event):
            for name, result in event["tasks"].items():
                scores.setdefault(name, []).append(result["score"])
    return scores


def test_the_best_scores() -> None:
    best = lambda events: {n: max(s) for n, s in scores_of(events).items()}  # noqa: E731
    assert check_best_scores(best).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda ev: {n: max(s) for n, s in scores_of(ev, lambda e: True).items()}, "not final"),
        (lambda ev: {n: s[-1] for n, s in scores_of(ev).items()}, "last scores"),
        (
            lambda ev: {
                n: max(s) for n, s in scores_of(ev, lambda e: e["final"] and e["task"] >= 0).items()
            },
            "before any training",
        ),
        (lambda ev: {n: min(s) for n, s in scores_of(ev).items()}, "lowest"),
        (lambda ev: {}, "it should be"),
        (lambda ev: None, "nothing comes back"),
    ],
)
def test_mistakes_with_the_best_scores(answer: Callable[..., Any], says: str) -> None:
    message = check_best_scores(answer)
    assert message.startswith("Not yet") and says in message
