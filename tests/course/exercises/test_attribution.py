"""Checks on attribution accept right answers and name what is wrong with others."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fggm_lab.course.exercises.attribution import (
    check_convergence_delta,
    check_drift,
    check_integrated_gradients,
)

Function = Callable[[Tensor], Tensor]
Answer = Callable[[Function, Tensor, Tensor, int], Tensor]


def gradient(function: Function, at: Tensor) -> Tensor:
    at = at.clone().requires_grad_()
    return torch.autograd.grad(function(at), at)[0]


def mean(function: Function, x: Tensor, baseline: Tensor, steps: int, start: float) -> Tensor:
    fractions = [(k + start) / steps for k in range(steps)]
    return torch.stack([gradient(function, baseline + a * (x - baseline)) for a in fractions]).mean(
        0
    )


@pytest.mark.parametrize("start", [0.0, 0.5, 1.0])
def test_any_rule_of_summing_is_right(start: float) -> None:
    message = check_integrated_gradients(lambda f, x, b, n: (x - b) * mean(f, x, b, n, start))
    assert message.startswith("Right")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda f, x, b, n: gradient(f, x), "the gradient at x"),
        (lambda f, x, b, n: (x - b) * gradient(f, x), "at the end alone"),
        (lambda f, x, b, n: mean(f, x, b, n, 0.5), "how far each input went"),
        (lambda f, x, b, n: n * (x - b) * mean(f, x, b, n, 0.5), "divide by their number"),
        (lambda f, x, b, n: x * mean(f, x, b, n, 0.5), "not by x"),
        (lambda f, x, b, n: x * mean(f, x, 0 * x, n, 0.5), "starts at the baseline"),
        (lambda f, x, b, n: (b - x) * mean(f, x, b, n, 0.5), "turned round"),
        (lambda f, x, b, n: torch.ones_like(x), "the scores add up to 3.000"),
        (lambda f, x, b, n: f(x), "3 numbers"),
        (lambda f, x, b, n: None, "nothing comes back"),
    ],
)
def test_mistakes_with_integrated_gradients(answer: Answer, hint: str) -> None:
    message = check_integrated_gradients(answer)
    assert message.startswith("Not yet") and hint in message


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s, g: (s.sum(1) - g).abs().max(), "Right"),
        (lambda s, g: float((s.sum(1) - g).abs().max()), "Right"),
        (lambda s, g: (s.sum(1) - g).max(), "absolute"),
        (lambda s, g: (s.sum(1) - g).sum().abs(), "cancel"),
        (lambda s, g: (s.sum(1) - g).abs().sum(), "take the largest"),
        (lambda s, g: (s.sum(1) - g).abs().mean(), "mean error"),
        (lambda s, g: s.sum(1) - g, "return a number"),
        (lambda s, g: 0.0, "it should be 0.500"),
    ],
)
def test_the_convergence_delta(answer: Callable[[Tensor, Tensor], object], hint: str) -> None:
    assert hint in check_convergence_delta(answer)


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a, b, dim=0))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, b: 1 - cosine(a, b), "Right"),
        (cosine, "the drift is 1 − cosine"),
        (lambda a, b: 1 - abs(cosine(a, b)), "sign counts"),
        (lambda a, b: 1 - a @ b, "both lengths"),
        (lambda a, b: (a - b).norm(), "a distance"),
        (lambda a, b: 0.5, "it should be"),
    ],
)
def test_the_drift(answer: Callable[[Tensor, Tensor], object], hint: str) -> None:
    assert hint in check_drift(answer)
