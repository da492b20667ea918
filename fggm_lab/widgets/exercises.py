"""Self-checks of the course's exercises: they try an answer and say what is wrong with it."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

_SCORES = {
    "different scores": torch.tensor([0.2, 5.0, 0.1, 3.0, 0.7, 1.5, 0.4, 2.0, 0.9, 0.3]),
    "ties": torch.tensor([1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]),
    "zeros": torch.zeros(5),
}


def check_top_units(answer: Callable[[Tensor, float], Tensor]) -> str:
    """Try a function that chooses the units that may move.

    Args:
        answer: takes the (units,) scores of one parameter and a keep share, returns (units,) bools,
            True for exactly round(keep · units) units with the highest scores.

    Returns:
        one sentence: that it is right, or what is wrong and with which input.
    """
    for name, scores in _SCORES.items():
        for keep in (0.3, 0.5, 1.0):
            problem = _wrong_with(answer(scores.clone(), keep), scores, keep)
            if problem:
                return f"Not yet ({name}, keep={keep}): {problem}"
    return "Right: exactly the asked share of units, and always the highest scores."


def _wrong_with(bits: object, scores: Tensor, keep: float) -> str | None:
    if bits is None or bits is ...:
        return "nothing comes back; end with a return."
    if not isinstance(bits, Tensor) or bits.dtype != torch.bool or bits.shape != scores.shape:
        return f"return a tensor of {len(scores)} bools, one per unit."
    kept, wanted = int(bits.sum()), round(keep * len(scores))
    if kept != wanted:
        hint = ""
        if kept > wanted and len(scores.unique()) < len(scores):
            hint = " A threshold lets every unit that ties with it through."
        return f"{kept} units move, it should be {wanted} of {len(scores)}.{hint}"
    if wanted < len(scores) and scores[bits].min() < scores[~bits].max():
        return (
            f"a unit scoring {float(scores[bits].min()):g} moves while one scoring "
            f"{float(scores[~bits].max()):g} is frozen."
        )
    return None


def check_chance_overlap(answer: Callable[[float], float]) -> str:
    """Try a function that gives the Jaccard index expected of two random masks.

    Args:
        answer: takes the share p that each of two large random masks keeps, returns the expected
            |a ∩ b| / |a ∪ b|.

    Returns:
        one sentence: that it is right, or what is wrong.
    """
    problem = _wrong_number(
        answer,
        "p",
        (0.3, 0.1, 1.0),
        lambda p: p * p / (2 * p - p * p),
        {
            "p · p is the share both keep; divide it by the share either keeps.": lambda p: p * p,
            "the two masks overlap, so the share either keeps is less than 2p.": lambda p: p / 2,
        },
        ".3f",
    )
    if problem:
        return f"Not yet: {problem}"
    return "Right: at p = 0.3 chance alone gives 0.176."


def check_logistic_fisher(answer: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Try a function that gives a logistic model's diagonal Fisher information in closed form.

    Args:
        answer: takes the weights (n,) and the inputs (M, n) of p(y = 1 | x) = sigmoid(w · x),
            returns (n,): the mean over inputs of the expected squared gradient of log p.

    Returns:
        one sentence: that it is right, or what is wrong.
    """
    w, x = torch.tensor([0.5, -1.0]), torch.tensor([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    p = torch.sigmoid(x @ w)
    right = ((p * (1 - p))[:, None] * x**2).mean(0)
    got = answer(w.clone(), x.clone())
    if not isinstance(got, Tensor) or got.shape != right.shape:
        return "Not yet: return a tensor with one number per weight."
    if torch.allclose(got, right):
        return "Right: p(1 − p) x², averaged over the inputs."
    if torch.allclose(got, ((p * (1 - p))[:, None] * x).mean(0)):
        return "Not yet: the gradient is squared, so its factor x is, too."
    if torch.allclose(got, right * len(x)):
        return "Not yet: take the mean over the inputs, not the sum."
    if torch.allclose(got, (p[:, None] * x**2).mean(0)):
        return "Not yet: the expected square of y − p is the variance of y, p(1 − p)."
    return f"Not yet: for the check's first weight it should be {right[0]:.4f}, not {got[0]:.4f}."


def check_batch_shrinkage(answer: Callable[[int], float]) -> str:
    """Try a function that says how far squaring a batch's mean gradient underestimates.

    Args:
        answer: takes the batch size B, returns the expected squared mean of B independent gradients
            of mean zero, divided by one gradient's expected square.

    Returns:
        one sentence: that it is right, or what is wrong.
    """
    problem = _wrong_number(
        answer,
        "B",
        (1, 4, 32),
        lambda size: 1 / size,
        {
            "the mean's 1/B is squared, but B squares are added up in it.": lambda n: 1 / n**2,
            "that is how the mean itself shrinks; this is its square.": lambda n: n**-0.5,
        },
        ".4g",
    )
    if problem:
        return f"Not yet: {problem}"
    return "Right: 1/B. A larger batch, a smaller number, and the model is still the same."


def _wrong_number(
    answer: Callable[[Any], object],
    symbol: str,
    places: Sequence[float],
    right: Callable[[float], float],
    mistakes: Mapping[str, Callable[[float], float]],
    form: str,
) -> str | None:
    """What is wrong with a formula of one number, at the first place where it is.

    Args:
        answer: the formula to try.
        symbol: what its number is called.
        places: where to try it.
        right: the right formula.
        mistakes: what to say of a formula that gives the same as this one.
        form: how numbers are written.
    """
    for at in places:
        got, wanted = answer(at), right(at)
        if not isinstance(got, int | float):
            return "return a number."
        if math.isclose(got, wanted, rel_tol=1e-6):
            continue
        for hint, mistake in mistakes.items():
            if math.isclose(got, mistake(at), rel_tol=1e-6):
                return hint
        return f"for {symbol} = {at} it should be {wanted:{form}}, not {got:{form}}."
    return None
