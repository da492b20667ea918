"""Checks on a real model: what few units hold, what a rise of a loss means, a score's error."""

import math
from collections.abc import Callable, Sequence

from fggm_lab.course.exercises.answers import verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise


def _held(scores: Sequence[float], count: int) -> float:
    return sum(sorted(scores, reverse=True)[:count]) / sum(scores)


@exercise(
    "12a",
    "What the highest units hold",
    level=1,
    minutes=5,
    hints=(
        "Sort the scores, the highest first.",
        "The sum of the first `count`, divided by the sum of all.",
    ),
)
def check_held(answer: Callable[[list[float], int], float]) -> str:
    """Try a function that gives which share of all scores the highest units hold.

    Args:
        answer: takes the units' scores, and how many units; returns the share that these hold.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "scores, count",
        (([1.0, 8.0, 3.0, 4.0], 1), ([0.5, 0.1, 0.2, 2.0, 1.2], 2)),
        _held,
        {
            "those are the first units, not the highest; sort the scores before.": (
                lambda scores, count: sum(scores[:count]) / sum(scores)
            ),
            "those are the lowest; sort so that the highest come first.": (
                lambda scores, count: sum(sorted(scores)[:count]) / sum(scores)
            ),
            "that is what they hold, not which share of it all; divide by the sum of all.": (
                lambda scores, count: sum(sorted(scores, reverse=True)[:count])
            ),
        },
        ".3f",
    )
    return verdict(problem, "of equal scores it would be the share of the units itself.")


def _two_errors(score: float, answers: int) -> float:
    return 2 * math.sqrt(score * (1 - score) / answers)


@exercise(
    "12c",
    "How sure a score is",
    level=1,
    minutes=5,
    hints=(
        "Each answer is right with probability p: its variance is p · (1 − p).",
        "The mean of n of them has that variance divided by n; its root is the standard error.",
    ),
)
def check_spread(answer: Callable[[float, int], float]) -> str:
    """Try a function that gives how far a score may be off: two standard errors.

    Args:
        answer: takes the share of right answers and how many were scored, returns two standard
            errors of the share.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "score, answers",
        ((0.5, 40), (0.8, 100), (0.1, 25)),
        _two_errors,
        {
            "that is one standard error; about two in three scores lie within it, and nineteen in "
            "twenty within two.": lambda score, answers: _two_errors(score, answers) / 2,
            "that is the spread of single answers; the mean of n of them varies less, by √n.": (
                lambda score, answers: 2 * math.sqrt(score * (1 - score))
            ),
            "divide by the number of answers under the root.": (
                lambda score, answers: 2 * math.sqrt(score * (1 - score)) / answers
            ),
            "that is the largest it can be, at a score of a half; here the score is known.": (
                lambda score, answers: 2 * math.sqrt(0.25 / answers)
            ),
        },
        ".3f",
    )
    return verdict(problem, "of 40 answers at a half it is 0.16: more than most methods differ by.")


@exercise(
    "12b",
    "What a rise of the loss means",
    level=1,
    minutes=5,
    hints=(
        "A loss in nats is −log of a probability.",
        "Each token's probability is multiplied by exp(before − after), in the geometric mean.",
    ),
)
def check_factor(answer: Callable[[float, float], float]) -> str:
    """Try a function that gives by what the probability of a text's token was multiplied.

    Args:
        answer: takes a text's loss before and after, in nats a token, returns the factor of the
            tokens' probability, in the geometric mean.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "before, after",
        ((3.0, 3.2), (1.7, 2.4), (2.9, 2.8)),
        lambda before, after: math.exp(before - after),
        {
            "that is what the perplexity was multiplied by, the inverse.": (
                lambda before, after: math.exp(after - before)
            ),
            "that is a ratio of losses, which says nothing by itself; a difference does.": (
                lambda before, after: before / after
            ),
            "that is the difference in nats; its exponential is a factor.": (
                lambda before, after: before - after
            ),
        },
        ".3f",
    )
    return verdict(problem, "0.2 nats more make each token less likely by a fifth.")
