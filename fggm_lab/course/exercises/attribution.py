"""Checks on attribution: integrated gradients, their convergence delta, how far they drift."""

from collections.abc import Callable

import torch
from torch import Tensor

from fggm_lab.course.exercises.answers import NOTHING, verdict, wrong_number

Function = Callable[[Tensor], Tensor]
IntegratedGradients = Callable[[Function, Tensor, Tensor, int], Tensor]


def _cubes(x: Tensor) -> Tensor:
    return x[0] ** 3 + 2 * x[1] - x[0] * x[2]


def _steep(x: Tensor) -> Tensor:
    return torch.sigmoid(8 * x[0]) - 3 * x[1] ** 2


_CASES: tuple[tuple[str, Function, list[float], list[float]], ...] = (
    ("x₀³ + 2x₁ − x₀x₂", _cubes, [1.0, 2.0, -1.0], [0.0, 0.0, 0.0]),
    ("x₀³ + 2x₁ − x₀x₂ from a baseline of 1", _cubes, [2.0, 0.0, 3.0], [1.0, 1.0, 1.0]),
    ("σ(8x₀) − 3x₁²", _steep, [1.0, -1.0], [-0.5, 0.0]),
)
_STEPS = 200
_CLOSE = 0.02
"""What 200 steps of any usual rule may miss here."""


def check_integrated_gradients(answer: IntegratedGradients) -> str:
    """Try a function that attributes a function's value to its inputs by integrated gradients.

    Args:
        answer: takes a function from (n,) inputs to a scalar, the inputs (n,), a baseline (n,) and
            a number of steps; returns (n,): (x − baseline) times the mean gradient on the straight
            way from the baseline to x.
    """
    for name, function, at, start in _CASES:
        x, baseline = torch.tensor(at), torch.tensor(start)
        problem = _wrong_path(answer(function, x.clone(), baseline.clone(), _STEPS), function, x,
                              baseline)  # fmt: skip
        if problem:
            return verdict(f"for {name}, {problem}", "")
    return verdict(None, "the scores add up to what the function gained on the way.")


def _wrong_path(got: object, function: Function, x: Tensor, baseline: Tensor) -> str | None:
    if got is None or got is ...:
        return NOTHING
    if not isinstance(got, Tensor) or got.shape != x.shape:
        return f"return a tensor of {len(x)} numbers, one per input."
    got = got.detach()
    mean = _mean_gradient(function, x, baseline)
    right = (x - baseline) * mean
    if (got - right).abs().max() < _CLOSE:
        return None
    mistakes = {
        "that is gradient × input at the end alone; walk the way and average.": (
            (x - baseline) * _gradient(function, x)
        ),
        "that is the gradient at x; walk the way from the baseline and average.": (
            _gradient(function, x)
        ),
        "the mean gradient is right; multiply it by how far each input went, x − baseline.": mean,
        "the steps are added up; divide by their number.": right * _STEPS,
        "multiply by (x − baseline), not by x.": x * mean,
        "the way starts at the baseline, not at zero.": x * _mean_gradient(function, x, 0 * x),
        "the direction is turned round: x − baseline, not baseline − x.": -right,
    }
    for hint, wrong in mistakes.items():
        if torch.allclose(got, wrong, rtol=_CLOSE, atol=_CLOSE):
            return hint
    gained = float(function(x) - function(baseline))
    return (
        f"the scores add up to {float(got.sum()):.3f}, but from the baseline to x the function "
        f"gains {gained:.3f}."
    )


def _gradient(function: Function, x: Tensor) -> Tensor:
    at = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(at), at)
    return gradient


def _mean_gradient(function: Function, x: Tensor, baseline: Tensor, steps: int = 500) -> Tensor:
    """By the midpoint rule."""
    places = [(k + 0.5) / steps for k in range(steps)]
    return torch.stack([_gradient(function, baseline + a * (x - baseline)) for a in places]).mean(0)


def check_convergence_delta(answer: Callable[[Tensor, Tensor], object]) -> str:
    """Try a function that says how far attributions are from adding up.

    Args:
        answer: takes scores (m, n), of n prompt tokens for each of m answer tokens, and what each
            answer token gained over the baseline (m,); returns the largest distance between a
            token's summed scores and its gain.
    """

    def errors(scores: Tensor, gains: Tensor) -> Tensor:
        return scores.sum(1) - gains

    problem = wrong_number(
        answer,
        "scores, gains",
        [
            (
                torch.tensor([[0.5, 0.25, -0.25], [1.0, -2.0, 0.5], [1.0, 0.0, 0.0]]),
                torch.tensor([0.75, 0.0, 0.875]),
            )
        ],
        lambda s, g: float(errors(s, g).abs().max()),
        {
            "errors of either sign count: take the absolute value.": lambda s, g: float(
                errors(s, g).max()
            ),
            "errors of opposite sign cancel in a sum over the answer's tokens; take the largest.": (
                lambda s, g: abs(float(errors(s, g).sum()))
            ),
            "that adds the errors up; take the largest.": lambda s, g: float(
                errors(s, g).abs().sum()
            ),
            "that is the mean error; take the largest, so that no token hides behind others.": (
                lambda s, g: float(errors(s, g).abs().mean())
            ),
        },
        ".3f",
    )
    return verdict(problem, "0 for an exact integral; it shrinks as steps are added.")


def check_drift(answer: Callable[[Tensor, Tensor], object]) -> str:
    """Try a function that says how far an attribution has turned.

    Args:
        answer: takes two attributions (n,) of the same tokens, returns 1 − their cosine.
    """
    cases = (
        ([3.0, 1.0, 0.0], [3.0, 1.0, 0.0]),
        ([1.0, 2.0, -1.0], [2.0, 4.0, -2.0]),
        ([1.0, 0.0, 0.0], [0.0, 0.0, 5.0]),
        ([1.0, -2.0, 0.0], [-1.0, 2.0, 0.0]),
        ([1.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
    )

    def cosine(a: Tensor, b: Tensor) -> float:
        return float(a @ b / (a.norm() * b.norm()))

    problem = wrong_number(
        answer,
        "a, b",
        [(_double(one), _double(other)) for one, other in cases],
        lambda a, b: 1 - cosine(a, b),
        {
            "that is the cosine, 1 for the same tokens; the drift is 1 − cosine.": cosine,
            "that grows with the scores; divide by both lengths.": lambda a, b: float(1 - a @ b),
            "that is a distance, which grows when the same tokens count more; take the angle.": (
                lambda a, b: float((a - b).norm())
            ),
            "the sign counts: a token that now speaks against the answer has drifted most.": (
                lambda a, b: 1 - abs(cosine(a, b))
            ),
        },
        ".3f",
    )
    return verdict(problem, "0 for the same tokens, 1 for others, 2 for the opposite.")


def _double(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)
