"""Checks on Fisher spectra: how unequal the units are, and where the Fisher information sits."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fggm_lab.course.exercises.answers import NOTHING, verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise
from fggm_lab.fisher.concentration import gini

_SCORES = [[1.0, 2.0, 3.0, 10.0], [4.0, 4.0, 4.0], [7.0, 0.0, 0.0, 0.0, 0.0], [0.5, 8.0, 0.1, 1.4]]


@exercise(
    "02a",
    "The Gini coefficient",
    level=1,
    minutes=5,
    hints=(
        "Compare the code with the formula factor by factor.",
        "The formula divides by n² and by the mean, as the code does, and by something more.",
    ),
)
def check_gini(answer: Callable[[list[float]], float]) -> str:
    """Try a function that gives the Gini coefficient of some scores.

    Args:
        answer: takes scores in any order, returns half their mean absolute difference, over all
            pairs of one with another or itself, divided by their mean.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """

    def right(scores: list[float]) -> float:
        return gini(torch.tensor(scores, dtype=torch.float64).sort(descending=True)[0].numpy())

    problem = wrong_number(
        answer,
        "scores",
        _SCORES,
        right,
        {
            "half of the mean difference: a factor 2 is missing below.": lambda s: 2 * right(s),
            "a score's difference from itself counts, too: n² pairs, not n (n − 1).": (
                lambda s: right(s) * len(s) / (len(s) - 1)
            ),
            "the sign is the other way round: 0 is equality, near 1 is one unit with everything.": (
                lambda s: -right(s)
            ),
            "that measures equality: 1 less it is the coefficient.": lambda s: 1 - right(s),
            "divide by the scores' mean, or the coefficient depends on their unit.": (
                lambda s: right(s) * sum(s) / len(s)
            ),
            "divide by the scores' mean, not their sum.": lambda s: right(s) / len(s),
        },
        ".3f",
    )
    return verdict(problem, "0 where all score alike, 1 − 1/n where one unit of n has everything.")


@exercise(
    "02b",
    "A point of the Lorenz curve",
    level=1,
    minutes=5,
    hints=(
        "The highest units need not stand first in the tensor.",
        "scores.sort(descending=True).values has the highest first.",
    ),
)
def check_top_share(answer: Callable[[Tensor, float], float]) -> str:
    """Try a function that says how much of all Fisher information the highest units hold.

    Args:
        answer: takes (units,) scores in any order and a share of units, returns what part of the
            scores' total the round(share · units) highest ones hold.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    unequal = torch.tensor([0.2, 5.0, 0.1, 3.0, 0.7, 1.5, 0.4, 2.0, 0.9, 0.3])
    ties = torch.tensor([1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0])

    def top_share(scores: Tensor, share: float, descending: bool = True) -> float:
        top = scores.sort(descending=descending)[0][: round(share * len(scores))]
        return float(top.sum() / scores.sum())

    problem = wrong_number(
        answer,
        "scores, share",
        [(s, share) for s in (unequal, ties) for share in (0.1, 0.38, 1.0)],
        top_share,
        {
            "those are the lowest units.": lambda s, share: top_share(s, share, descending=False),
            "that is the sum of the highest scores; divide it by the sum of all.": (
                lambda s, share: top_share(s, share) * float(s.sum())
            ),
            "sort the scores first.": (
                lambda s, share: float(s[: round(share * len(s))].sum() / s.sum())
            ),
            "round(share · n) units, where int() always rounds down.": (
                lambda s, share: top_share(s, int(share * len(s)) / len(s))
            ),
            "a threshold lets every unit that ties with it through; sort, and take exactly "
            "round(share · n).": lambda s, share: float(
                s[s >= s.sort(descending=True)[0][max(0, round(share * len(s)) - 1)]].sum()
                / s.sum()
            ),
        },
        ".3f",
    )
    return verdict(problem, "a point of the Lorenz curve.")


_TABLE: list[dict[str, Any]] = [
    {"layer": layer, "module": module, "units": units, "total": total, "median": median}
    for layer, module, units, total, median in (
        (0, "mlp.up_proj.weight", 100, 30.0, 0.1),
        (1, "mlp.up_proj.weight", 100, 35.0, 0.2),
        (0, "self_attn.v_proj.weight", 10, 20.0, 1.0),
        (1, "self_attn.v_proj.weight", 10, 10.0, 1.0),
        (0, "input_layernorm.weight", 10, 1.0, 5.0),
        (1, "input_layernorm.weight", 10, 2.0, 5.0),
        (None, "embed_tokens.weight", 500, 50.0, 0.0),
    )
]


@exercise(
    "02c",
    "The module that holds most",
    level=2,
    minutes=10,
    hints=(
        "A module occurs once in every layer, so it has several rows.",
        "Collect a dictionary module → sum of its rows' totals, then take the module with the"
        " largest sum.",
    ),
)
def check_richest_module(answer: Callable[[list[dict[str, Any]]], str]) -> str:
    """Try a function that names the module which holds most Fisher information over all layers.

    Args:
        answer: takes the rows of `FisherScores.table()`, returns the module's name.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    returned = answer([dict(row) for row in _TABLE])
    hints = {
        "embed_tokens.weight": "that is the parameter with the highest total; a module has one in "
        "every layer, so add those up.",
        "self_attn.v_proj.weight": "that module has the most per unit; the question is how much "
        "it holds altogether.",
        "input_layernorm.weight": "that module has the highest median; a few high units can hold "
        "more than many middling ones, so add up the totals.",
    }
    if returned is None or returned is ...:
        problem: str | None = NOTHING
    elif returned not in {row["module"] for row in _TABLE}:
        problem = f"return a module's name, such as '{_TABLE[0]['module']}', not {returned!r}."
    else:
        problem = hints.get(returned)
    return verdict(problem, "the totals of its parameters, added up over the layers.")
