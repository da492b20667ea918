"""Checks on self-kl: a divergence, one with unlikely tokens put together, the cost of a step."""

import math
from collections.abc import Callable, Sequence

from fggm_lab.course.exercises.answers import verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise

Probabilities = Sequence[float]

_PAIRS = (
    ([0.5, 0.3, 0.2], [0.25, 0.25, 0.5]),
    ([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]),
)
"""What a model thought of the next token then, and what it thinks now."""


def _divergence(then: Probabilities, now: Probabilities) -> float:
    return sum(p * math.log(p / q) for p, q in zip(then, now, strict=True))


@exercise(
    "11a",
    "The divergence of now from then",
    level=1,
    minutes=5,
    hints=(
        "Each token counts by how likely it was then.",
        "Σ p · log(p / q), where p is then and q is now.",
    ),
)
def check_divergence(answer: Callable[[list[float], list[float]], float]) -> str:
    """Try a function that gives KL(p_then ‖ p_now).

    Args:
        answer: takes the probabilities of all tokens then, and now, returns the divergence in nats.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "then, now",
        _PAIRS,
        _divergence,
        {
            "that is KL(p_now ‖ p_then): weigh by what the model thought then, not now.": (
                lambda then, now: _divergence(now, then)
            ),
            "that is the cross-entropy, which is not 0 where nothing changed; subtract what "
            "the model thought of its own guess, log p.": (
                lambda then, now: -sum(p * math.log(q) for p, q in zip(then, now, strict=True))
            ),
            "the sign is turned round: a divergence is never below 0.": (
                lambda then, now: -_divergence(then, now)
            ),
            "every token counts alike here; weigh each by its probability then.": (
                lambda then, now: sum(math.log(p / q) for p, q in zip(then, now, strict=True))
            ),
        },
        ".3f",
    )
    return verdict(problem, "0 where nothing changed, above it wherever something did.")


@exercise(
    "11b",
    "Notes of a few tokens",
    level=2,
    minutes=10,
    hints=(
        "The tokens that are not noted have a probability, too: what the others leave of 1.",
        "So there are k + 1 outcomes; the last is 'any other token', then and now.",
        "1 − sum(…) gives its probability then, and another 1 − sum(…), of the same tokens, now.",
    ),
)
def check_merged(answer: Callable[[list[float], list[float]], float]) -> str:
    """Try a function that gives the divergence from notes of the likeliest tokens alone.

    Args:
        answer: takes the probabilities of the noted tokens then, and of the same now, returns
            the divergence with all other tokens put together as one.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    noted = [([0.5, 0.3], [0.25, 0.25]), ([0.4, 0.3], [0.1, 0.2])]

    def right(then: Probabilities, now: Probabilities) -> float:
        return _divergence([*then, 1 - sum(then)], [*now, 1 - sum(now)])

    problem = wrong_number(
        answer,
        "then, now",
        noted,
        right,
        {
            "the other tokens are left out, so that this can fall below 0; they are one more "
            "outcome, 1 − sum(then) against 1 − sum(now).": _divergence,
            "the others' probability is weighed as it is now; weigh it as it was then.": (
                lambda then, now: (
                    _divergence(then, now)
                    + (1 - sum(now)) * math.log((1 - sum(then)) / (1 - sum(now)))
                )
            ),
        },
        ".3f",
    )
    return verdict(
        problem, "at most the divergence over all tokens, and never below 0: it can be trained on."
    )


@exercise(
    "11c",
    "What a step costs",
    level=1,
    minutes=5,
    hints=(
        "Count the rows that go through the model in `every` steps, with and without texts.",
        "In `every` steps there are every · batch examples, and texts once.",
    ),
)
def check_cost(answer: Callable[[int, int, int], float]) -> str:
    """Try a function that gives how many times as many rows a step has on average.

    Args:
        answer: takes the batch size, how many texts join a step, and in every how many steps they
            do; returns rows with texts ÷ rows without.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "batch, texts, every",
        ((8, 8, 1), (8, 4, 2), (16, 8, 4)),
        lambda batch, texts, every: 1 + texts / (every * batch),
        {
            "texts join only in every so many steps; divide them by `every`.": (
                lambda batch, texts, every: 1 + texts / batch
            ),
            "that is what the texts add; the batch itself is 1.": (
                lambda batch, texts, every: texts / (every * batch)
            ),
            "that is a number of rows; divide it by the batch.": (
                lambda batch, texts, every: batch + texts / every
            ),
        },
        ".2f",
    )
    return verdict(problem, "drawing the texts and noting them comes on top, once a task.")
