"""Checks on the trade-off accept right answers and name what is wrong with others."""

from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist, fmean, pstdev, stdev

import pytest
from scipy.special import stdtrit

from fggm_lab.course import stored_runs
from fggm_lab.course.exercises.tradeoff import (
    check_bwt,
    check_front,
    check_half_width,
    check_rival,
)
from fggm_lab.runs import Run


def changes(matrix: list[list[float]]) -> list[float]:
    return [matrix[-1][j] - matrix[j][j] for j in range(len(matrix))]


def test_backward_transfer_as_gem_divides_it() -> None:
    assert check_bwt(lambda m: sum(changes(m)) / (len(m) - 1)).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda m: sum(changes(m)) / len(m), "T − 1 others"),
        (lambda m: sum(changes(m)), "the sum"),
        (lambda m: -sum(changes(m)) / (len(m) - 1), "sign"),
        (lambda m: fmean(m[-1][j] - m[-2][j] for j in range(len(m) - 1)), "R[j][j]"),
        (
            lambda m: fmean(max(row[j] for row in m[:-1]) - m[-1][j] for j in range(len(m) - 1)),
            "best earlier",
        ),
        (lambda m: 0.5, "it should be"),
        (lambda m: None, "nothing comes back"),
    ],
)
def test_mistakes_with_backward_transfer(
    answer: Callable[[list[list[float]]], float], hint: str
) -> None:
    message = check_bwt(answer)
    assert message.startswith("Not yet") and hint in message


Ends = Mapping[str, tuple[float, float]]


def front(ends: Ends) -> set[str]:
    def beaten(x: float, y: float) -> bool:
        return any(a >= x and b >= y and (a, b) != (x, y) for a, b in ends.values())

    return {name for name, (x, y) in ends.items() if not beaten(x, y)}


def strictly(ends: Ends) -> list[str]:
    """Beaten only by what is better in both: lets equal numbers through."""
    return [
        name for name, (x, y) in ends.items() if not any(a > x and b > y for a, b in ends.values())
    ]


def test_the_front_in_any_order() -> None:
    assert check_front(front).startswith("Right")
    assert check_front(lambda ends: sorted(front(dict(ends)), reverse=True)).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda ends: list(ends), "c is beaten by b"),
        (lambda ends: [max(ends, key=lambda n: sum(ends[n]))], "a is missing"),
        (strictly, "equal numbers"),
        (lambda ends: [], "is missing"),
        (lambda ends: [0, 1], "is none of them"),
        (lambda ends: "a", "list or a set"),
        (lambda ends: None, "nothing comes back"),
    ],
)
def test_mistakes_with_the_front(answer: Callable[[Ends], list[str]], hint: str) -> None:
    message = check_front(answer)
    assert message.startswith("Not yet") and hint in message


def t(degrees: int, level: float = 0.975) -> float:
    return float(stdtrit(degrees, level))


def test_the_interval_of_students_t() -> None:
    assert check_half_width(lambda d: t(len(d) - 1) * stdev(d) / len(d) ** 0.5).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda d: 1.96 * stdev(d) / len(d) ** 0.5, "1.96"),
        (lambda d: NormalDist().inv_cdf(0.975) * stdev(d) / len(d) ** 0.5, "normal distribution"),
        (lambda d: t(len(d) - 1) * stdev(d), "√n"),
        (lambda d: stdev(d) / len(d) ** 0.5, "times the quantile"),
        (lambda d: t(len(d) - 1) * pstdev(d) / len(d) ** 0.5, "n − 1 below the line"),
        (lambda d: t(len(d)) * stdev(d) / len(d) ** 0.5, "degrees of freedom"),
        (lambda d: t(len(d) - 1, 0.95) * stdev(d) / len(d) ** 0.5, "0.975"),
        (lambda d: 2 * t(len(d) - 1) * stdev(d) / len(d) ** 0.5, "half of it"),
        (fmean, "that is the mean"),
        (lambda d: 1.0, "it should be"),
    ],
)
def test_mistakes_with_the_interval(answer: Callable[[Sequence[float]], float], hint: str) -> None:
    message = check_half_width(answer)
    assert message.startswith("Not yet") and hint in message


@pytest.fixture
def stored() -> list[Run]:
    """Two runs whose numbers are known; replay's is passed off as FGGM's."""
    ewc, replay = stored_runs("rivals", "ewc", "replay")
    as_fggm = replay.config.model_copy(update={"method": "fggm", "method_settings": {}})
    return [Run(replay.path, as_fggm), ewc]


RIGHT = {"rival": "ewc", "learns_more": False, "forgets_less": True, "keeps_more_general": True}


def test_a_prediction_that_came_true(stored: list[Run]) -> None:
    message = check_rival(RIGHT, stored)
    assert message.startswith("Right: ewc has learning accuracy +0.8")


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"learns_more": True}, "2 of 3 came true"),
        ({"forgets_less": False, "keeps_more_general": False}, "1 of 3 came true"),
        ({"rival": ""}, "name a rival"),
        ({"learns_more": None}, "learns_more is None; predict first"),
        ({"rival": "lwf"}, "no run of lwf"),
    ],
)
def test_a_prediction_that_did_not(change: dict[str, object], hint: str, stored: list[Run]) -> None:
    message = check_rival({**RIGHT, **change}, stored)
    assert message.startswith("Not yet") and hint in message
