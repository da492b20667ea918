"""Checks on attribution: integrated gradients, their convergence delta, how far they drift."""

from collections.abc import Callable

import torch
from torch import Tensor

from fggm_lab.course.exercises.answers import NOTHING, verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise

Function = Callable[[Tensor], Tensor]
IntegratedGradients = Callable[[Function, Tensor, Tensor, int], Tensor]


def _polynomial(x: Tensor) -> Tensor:
    return x[0] ** 3 + 2 * x[1] - x[0] * x[2]


def _sigmoid_and_square(x: Tensor) -> Tensor:
    return torch.sigmoid(8 * x[0]) - 3 * x[1] ** 2


_CASES: tuple[tuple[str, Function, list[float], list[float]], ...] = (
    ("x₀³ + 2x₁ − x₀x₂", _polynomial, [1.0, 2.0, -1.0], [0.0, 0.0, 0.0]),
    ("x₀³ + 2x₁ − x₀x₂ from a baseline of 1", _polynomial, [2.0, 0.0, 3.0], [1.0, 1.0, 1.0]),
    ("σ(8x₀) − 3x₁²", _sigmoid_and_square, [1.0, -1.0], [-0.5, 0.0]),
)
_STEPS = 200
_TOLERANCE = 0.02
"""The largest error of 200 steps of any usual integration rule on these functions."""


@exercise(
    "07a",
    "Integrated gradients",
    level=3,
    minutes=15,
    hints=(
        "The gradient is needed at `steps` places on the straight way from the baseline to x,"
        " not at x alone.",
        "The k-th place is baseline + (k + 0.5) / steps * (x - baseline); each needs a "
        "requires_grad_() of its own.",
        "Add up the gradients at the places, divide by steps, multiply by (x - baseline).",
    ),
)
def check_integrated_gradients(answer: IntegratedGradients) -> str:
    """Try a function that attributes a function's value to its inputs by integrated gradients.

    Args:
        answer: takes a function from (n,) inputs to a scalar, the inputs (n,), a baseline (n,) and
            a number of steps; returns (n,): (x − baseline) times the mean gradient on the straight
            line from the baseline to x.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    for name, function, inputs, start in _CASES:
        x, baseline = torch.tensor(inputs), torch.tensor(start)
        returned = answer(function, x.clone(), baseline.clone(), _STEPS)
        problem = _wrong_attribution(returned, function, x, baseline)
        if problem:
            return verdict(f"for {name}, {problem}", "")
    return verdict(None, "the scores add up to what the function gained on the way.")


def _wrong_attribution(
    returned: object, function: Function, x: Tensor, baseline: Tensor
) -> str | None:
    if returned is None or returned is ...:
        return NOTHING
    if not isinstance(returned, Tensor) or returned.shape != x.shape:
        return f"return a tensor of {len(x)} numbers, one per input."
    returned = returned.detach()
    mean = _mean_gradient(function, x, baseline)
    right = (x - baseline) * mean
    if (returned - right).abs().max() < _TOLERANCE:
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
        if torch.allclose(returned, wrong, rtol=_TOLERANCE, atol=_TOLERANCE):
            return hint
    gained = float(function(x) - function(baseline))
    total = float(returned.sum())
    return (
        f"the scores add up to {total:.3f}, but from the baseline to x the function gains "
        f"{gained:.3f}."
    )


def _gradient(function: Function, x: Tensor) -> Tensor:
    inputs = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(inputs), inputs)
    return gradient


def _mean_gradient(function: Function, x: Tensor, baseline: Tensor, steps: int = 500) -> Tensor:
    """The mean gradient on the straight line from the baseline to x, by the midpoint rule."""
    fractions = [(k + 0.5) / steps for k in range(steps)]
    gradients = [_gradient(function, baseline + a * (x - baseline)) for a in fractions]
    return torch.stack(gradients).mean(0)


@exercise(
    "07b",
    "The convergence delta",
    level=1,
    minutes=3,
    hints=(
        "An error below is as bad as an error above.",
        "Take .abs() before .max().",
    ),
)
def check_convergence_delta(answer: Callable[[Tensor, Tensor], object]) -> str:
    """Try a function that says how far attributions are from adding up.

    Args:
        answer: takes scores (m, n), of n prompt tokens for each of m answer tokens, and what each
            answer token gained over the baseline (m,); returns the largest distance between a
            token's summed scores and its gain.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
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


@exercise(
    "07c",
    "Drift of an attribution",
    level=2,
    minutes=5,
    hints=(
        "Doubling all scores must not change the number, and a distance doubles.",
        "The cosine of two vectors is their inner product over the product of their lengths.",
    ),
)
def check_drift(answer: Callable[[Tensor, Tensor], object]) -> str:
    """Try a function that says how far an attribution has turned.

    Args:
        answer: takes two attributions (n,) of the same tokens, returns 1 − their cosine.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
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
        [(_double(a), _double(b)) for a, b in cases],
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
