"""The self-checks accept right answers and name what is wrong with others."""

import torch
from torch import Tensor

from fggm_lab.widgets.exercises import (
    check_batch_shrinkage,
    check_chance_overlap,
    check_logistic_fisher,
    check_top_units,
)


def right(scores: Tensor, keep: float) -> Tensor:
    bits = torch.zeros(len(scores), dtype=torch.bool)
    bits[scores.argsort(descending=True)[: round(keep * len(scores))]] = True
    return bits


def test_right_answers_pass() -> None:
    assert check_top_units(right).startswith("Right")
    assert check_chance_overlap(lambda p: p / (2 - p)).startswith("Right")


def test_an_empty_answer_is_told_so() -> None:
    assert "nothing comes back" in check_top_units(lambda scores, keep: None)  # type: ignore[arg-type, return-value]
    assert "return a number" in check_chance_overlap(lambda p: None)  # type: ignore[arg-type, return-value]


def test_a_plain_threshold_is_caught_at_ties() -> None:
    def threshold(scores: Tensor, keep: float) -> Tensor:
        place = min(len(scores) - round(keep * len(scores)), len(scores) - 1)
        return scores >= scores.sort().values[place]

    assert "ties" in check_top_units(threshold)


def test_the_lowest_instead_of_the_highest_are_caught() -> None:
    assert "while one scoring" in check_top_units(lambda s, keep: right(-s, keep))


def test_the_wrong_kind_of_tensor_is_caught() -> None:
    assert "bools" in check_top_units(lambda s, keep: right(s, keep).float())


def test_common_slips_about_chance_are_named() -> None:
    assert "divide" in check_chance_overlap(lambda p: p * p)
    assert "overlap" in check_chance_overlap(lambda p: p / 2)
    assert "0.176" in check_chance_overlap(lambda p: p)


def logistic(w: Tensor, x: Tensor, power: int = 2) -> Tensor:
    p = torch.sigmoid(x @ w)
    return ((p * (1 - p))[:, None] * x**power).mean(0)


def test_the_logistic_fisher_and_its_usual_mistakes() -> None:
    assert check_logistic_fisher(logistic).startswith("Right")
    assert "mean over the inputs" in check_logistic_fisher(lambda w, x: logistic(w, x) * len(x))
    assert "factor x is" in check_logistic_fisher(lambda w, x: logistic(w, x, power=1))
    wrong = check_logistic_fisher(lambda w, x: (torch.sigmoid(x @ w)[:, None] * x**2).mean(0))
    assert "variance of y" in wrong
    assert "should be" in check_logistic_fisher(lambda w, x: torch.ones(2))
    assert "one number per weight" in check_logistic_fisher(lambda w, x: None)  # type: ignore[arg-type, return-value]


def test_the_shrinkage_of_a_squared_mean() -> None:
    assert check_batch_shrinkage(lambda size: 1 / size).startswith("Right")
    assert "B squares" in check_batch_shrinkage(lambda size: 1 / size**2)
    assert "the mean itself" in check_batch_shrinkage(lambda size: size**-0.5)
    assert "should be" in check_batch_shrinkage(lambda size: 1.5)
    assert "return a number" in check_batch_shrinkage(lambda size: None)  # type: ignore[arg-type, return-value]
