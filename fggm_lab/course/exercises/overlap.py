"""Checks on mask overlap: what chance gives, and how far from it a number lies."""

import math
from collections.abc import Callable

from fggm_lab.course.exercises.answers import verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise


@exercise(
    "00c",
    "Overlap of two masks by chance",
    level=2,
    minutes=5,
    hints=(
        "Think of one unit: with what chance do both masks keep it? With what chance does at "
        "least one?",
        "Both: p · p. At least one: p + p, less what was counted twice.",
    ),
)
def check_chance_overlap(answer: Callable[[float], float]) -> str:
    """Try a function that gives the Jaccard index expected of two random masks.

    Args:
        answer: takes the share p that each of two large random masks keeps, returns the expected
            |a ∩ b| / |a ∪ b|.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "p",
        (0.3, 0.1, 1.0),
        lambda p: p * p / (2 * p - p * p),
        {
            "p · p is the share both keep; divide it by the share either keeps.": lambda p: p * p,
            "the two masks overlap, so the share either keeps is less than 2p.": lambda p: p / 2,
            "p is the overlap coefficient: shared units over those of one mask.": lambda p: p,
        },
        ".3f",
    )
    return verdict(problem, "at p = 0.3 chance alone gives 0.176.")


@exercise(
    "05b",
    "Units used up by chance",
    level=2,
    minutes=5,
    hints=(
        "Two masks can keep the same unit, so shares do not add up.",
        "Turn the question round: with what chance is a unit in none of the k masks?",
    ),
)
def check_union_share(answer: Callable[[float, int], float]) -> str:
    """Try a function that gives the share of units which k random masks have used between them.

    Args:
        answer: takes the share p each mask keeps, and their number k; returns the expected share of
            units that at least one keeps.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "p, k",
        [(0.3, 1), (0.3, 2), (0.3, 8), (0.1, 3)],
        lambda p, k: 1 - (1 - p) ** k,
        {
            "masks overlap, so their shares do not just add up.": lambda p, k: k * p,
            "that never passes 1, but masks overlap long before: what is the chance that a unit "
            "is in none?": lambda p, k: min(1.0, k * p),
            "that is what no mask has used; the question is the rest.": lambda p, k: (1 - p) ** k,
            "that is the share that all k masks keep.": lambda p, k: p**k,
            "that is the share that is not in every mask.": lambda p, k: 1 - p**k,
        },
        ".3f",
    )
    return verdict(problem, "eight masks of 30 % use up 94 % of the model by chance alone.")


@exercise(
    "05c",
    "Units that k masks share",
    level=2,
    minutes=5,
    hints=(
        "p**k * (1 - p)**(T - k) is the chance that k certain masks keep the unit and the "
        "others do not.",
        "In how many ways can the k masks be chosen from T? (The binomial distribution.)",
    ),
)
def check_sharers(answer: Callable[[float, int, int], float]) -> str:
    """Try a function that gives the share of units which exactly k of T random masks keep.

    Args:
        answer: takes the share p each mask keeps, their number T, and k; returns the expected share
            of units in exactly k masks.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "p, T, k",
        [(0.3, 3, 0), (0.3, 3, 1), (0.3, 3, 2), (0.1, 8, 3)],
        lambda p, t, k: math.comb(t, k) * p**k * (1 - p) ** (t - k),
        {
            "that is the chance for k given masks; there are T over k ways to choose them "
            "(math.comb).": lambda p, t, k: p**k * (1 - p) ** (t - k),
            "the other T − k masks must not keep it.": lambda p, t, k: math.comb(t, k) * p**k,
            "that is k masks or more; the question is exactly k.": lambda p, t, k: sum(
                math.comb(t, i) * p**i * (1 - p) ** (t - i) for i in range(k, t + 1)
            ),
        },
        ".4f",
    )
    return verdict(problem, "the binomial distribution.")


@exercise(
    "05a",
    "The z-score of an overlap",
    level=1,
    minutes=5,
    hints=(
        "A z-score counts standard deviations.",
        "The variance is the square of the standard deviation.",
    ),
)
def check_z_score(answer: Callable[[int, int, int, int], float]) -> str:
    """Try a function that says how far a number of shared units lies from chance.

    Args:
        answer: takes the shared units, the units n, and how many of them each of the two masks
            keeps, a and b; returns (shared − mean) / standard deviation of the hypergeometric
            distribution, mean ab/n, variance ab (n − a)(n − b) / (n² (n − 1)).

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """

    def parts(n: int, a: int, b: int) -> tuple[float, float]:
        return a * b / n, a * b * (n - a) * (n - b) / (n * n * (n - 1))

    def z(shared: int, n: int, a: int, b: int) -> float:
        mean, variance = parts(n, a, b)
        return (shared - mean) / math.sqrt(variance)

    problem = wrong_number(
        answer,
        "shared, n, a, b",
        [(50, 100, 60, 70), (20, 100, 60, 40), (90, 1000, 300, 200)],
        z,
        {
            "that divides by the variance; take its root.": lambda s, n, a, b: (
                (s - parts(n, a, b)[0]) / parts(n, a, b)[1]
            ),
            "that is the distance from the mean; divide it by the standard deviation.": (
                lambda s, n, a, b: s - parts(n, a, b)[0]
            ),
            "the sign is turned round: more than chance is positive.": lambda s, n, a, b: (
                -z(s, n, a, b)
            ),
            "that is the binomial variance; a mask keeps a unit only once, so the spread is "
            "smaller by (n − a) / (n − 1).": lambda s, n, a, b: (
                (s - a * b / n) / math.sqrt(a * b / n * (1 - b / n))
            ),
            "that is the binomial variance; a mask keeps a unit only once, so the spread is "
            "smaller by (n − b) / (n − 1).": lambda s, n, a, b: (
                (s - a * b / n) / math.sqrt(a * b / n * (1 - a / n))
            ),
            "that takes the mean of a Poisson for its variance.": lambda s, n, a, b: (
                (s - a * b / n) / math.sqrt(a * b / n)
            ),
        },
        ".3f",
    )
    return verdict(problem, "in standard deviations; beyond 3 or so chance is a poor explanation.")
