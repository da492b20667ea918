"""The checks on Fisher information accept right answers and name the usual mistakes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from fggm_lab.course.exercises.fisher import (
    check_batch_shrinkage,
    check_logistic_fisher,
    check_unit_scores,
)


def logistic(w: Tensor, x: Tensor, power: int = 2) -> Tensor:
    p = torch.sigmoid(x @ w)
    return ((p * (1 - p))[:, None] * x**power).mean(0)


def test_the_logistic_fisher() -> None:
    assert check_logistic_fisher(logistic).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda w, x: logistic(w, x) * len(x), "mean over the inputs"),
        (lambda w, x: logistic(w, x, power=1), "factor x is"),
        (lambda w, x: (torch.sigmoid(x @ w)[:, None] * x**2).mean(0), "variance of y"),
        (
            lambda w, x: (((p := torch.sigmoid(x @ w)) * (1 - p))[:, None] * x).pow(2).mean(0),
            "square of the variance",
        ),
        (lambda w, x: torch.ones(2), "should be"),
        (lambda w, x: torch.ones(3), "shape (2,)"),
        (lambda w, x: None, "nothing comes back"),
    ],
)
def test_mistakes_with_the_logistic_fisher(answer: Callable[..., Any], says: str) -> None:
    message = check_logistic_fisher(answer)
    assert message.startswith("Not yet") and says in message


def test_the_shrinkage_of_a_squared_mean() -> None:
    assert check_batch_shrinkage(lambda size: 1 / size).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda size: 1 / size**2, "B squares"),
        (lambda size: size**-0.5, "the mean itself"),
        (lambda size: size, "squared sum"),
        (lambda size: 1.0, "for B = 4"),
        (lambda size: None, "nothing comes back"),
    ],
)
def test_mistakes_with_the_shrinkage(answer: Callable[..., Any], says: str) -> None:
    message = check_batch_shrinkage(answer)
    assert message.startswith("Not yet") and says in message


def by_autograd(g: Tensor, x: Tensor) -> Tensor:
    """By autograd, one example at a time."""
    scores = torch.zeros(g.shape[2])
    for some_g, some_x in zip(g, x, strict=True):
        weight = torch.zeros(g.shape[2], x.shape[2], requires_grad=True)
        ((some_x @ weight.T) * some_g).sum().backward()
        assert weight.grad is not None
        scores += weight.grad.square().sum(1) / len(g)
    return scores


def per_example(g: Tensor, x: Tensor) -> Tensor:
    return torch.einsum("bto,bti->boi", g, x)


def test_unit_scores_by_autograd_and_by_inner_products() -> None:
    assert check_unit_scores(by_autograd).startswith("Right")
    inner = lambda g, x: torch.einsum("bto,bts,bso->bo", g, x @ x.mT, g).mean(0)  # noqa: E731
    assert check_unit_scores(inner).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda g, x: per_example(g**2, x**2).sum(2).mean(0), "every token's gradient"),
        (lambda g, x: per_example(g, x).mean(0).square().sum(1), "square each example's gradient"),
        (lambda g, x: per_example(g, x).square().sum(2).sum(0), "not the sum"),
        (lambda g, x: per_example(g, x).sum(2).square().mean(0), "square the entries first"),
        (lambda g, x: per_example(g, x).square().sum(1).mean(0), "adds up columns"),
        (lambda g, x: per_example(g, x).square().mean(0), "whole diagonal"),
        (lambda g, x: per_example(g, x).square().mean(2).mean(0), "row's mean"),
        (lambda g, x: torch.zeros(2), "entry 0 should be"),
        (lambda g, x: ..., "nothing comes back"),
    ],
)
def test_mistakes_with_unit_scores(answer: Callable[..., Any], says: str) -> None:
    message = check_unit_scores(answer)
    assert message.startswith("Not yet") and says in message
