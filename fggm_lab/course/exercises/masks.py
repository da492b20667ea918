"""Checks on masks: choosing units, where a share holds, and what freezing takes."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

from fggm_lab.course.exercises.answers import NOTHING, as_number, verdict
from fggm_lab.course.exercises.exercise import exercise
from fggm_lab.masks.selection import select

_SCORES = {
    "different scores": torch.tensor([0.2, 5.0, 0.1, 3.0, 0.7, 1.5, 0.4, 2.0, 0.9, 0.3]),
    "ties": torch.tensor([1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]),
    "zeros": torch.zeros(5),
}


@exercise(
    "03a",
    "The cut",
    level=2,
    minutes=10,
    hints=(
        "A threshold cannot say how many units it lets through: think of ties.",
        "Sort, and take the first round(keep · n) places: argsort(descending=True, stable=True).",
        "Begin with zeros of dtype bool, and set those places to True.",
    ),
)
def check_top_units(answer: Callable[[Tensor, float], Tensor]) -> str:
    """Try a function that chooses the units that may move.

    Args:
        answer: takes the (units,) scores of one parameter and a keep share, returns (units,) bools,
            True for exactly round(keep · units) units with the highest scores.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    for name, scores in _SCORES.items():
        for keep in (0.3, 0.5, 1.0):
            problem = _wrong_bits(answer(scores.clone(), keep), scores, keep)
            if problem:
                return f"Not yet ({name}, keep={keep}): {problem}"
    return verdict(None, "exactly the asked share of units, and always the highest scores.")


def _wrong_bits(bits: object, scores: Tensor, keep: float) -> str | None:
    if bits is None or bits is ...:
        return NOTHING
    if not isinstance(bits, Tensor) or bits.dtype != torch.bool or bits.shape != scores.shape:
        return f"return a tensor of {len(scores)} bools, one per unit."
    count, expected = int(bits.sum()), round(keep * len(scores))
    if count != expected:
        hint = ""
        if count > expected and len(scores.unique()) < len(scores):
            hint = " A threshold lets every unit that ties with it through."
        elif count < expected:
            hint = " A strict threshold shuts out every unit that equals it."
        return f"{count} units move, it should be {expected} of {len(scores)}.{hint}"
    if expected < len(scores) and scores[bits].min() < scores[~bits].max():
        return (
            f"a unit scoring {float(scores[bits].min()):g} moves while one scoring "
            f"{float(scores[~bits].max()):g} is frozen."
        )
    return None


@exercise(
    "00b",
    "One step of FGGM",
    level=1,
    minutes=5,
    hints=(
        "Rows whose bit is False must come back exactly as they went in.",
        "A tensor of bools chooses rows: weight[bits] is those that may move.",
        "Clone the weight, and subtract rate * gradient[bits] from the clone's rows [bits].",
    ),
)
def check_masked_step(answer: Callable[[Tensor, Tensor, Tensor, float], Tensor]) -> str:
    """Try a function that takes one step of plain gradient descent under a mask.

    Args:
        answer: takes a weight (out, in), its gradient of the same shape, (out,) bools and a
            learning rate, returns the new weight: rows that are True move against their gradient,
            the others stay exactly as they are.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    gradient = torch.tensor([[1.0, -1.0], [2.0, 0.5], [1.0, 3.0]])
    bits, lr = torch.tensor([True, False, True]), 0.1
    right = weight.clone()
    right[bits] -= lr * gradient[bits]
    broken = gradient.clone()
    broken[1, 0] = math.inf
    original = weight.clone()
    returned = answer(original, gradient.clone(), bits.clone(), lr)
    if returned is None or returned is ...:
        return verdict(NOTHING)
    if not isinstance(returned, Tensor) or returned.shape != weight.shape:
        return verdict(f"return a weight of shape {tuple(weight.shape)}.")
    problem = None
    if not torch.equal(returned[1], weight[1]):
        problem = "the frozen row moved; its bit is False."
        if torch.equal(returned[bits], weight[bits]):
            problem = "the mask is the wrong way round: True may move."
    elif torch.allclose(returned, weight):
        problem = "nothing moved."
    elif torch.allclose(returned, 2 * weight - right):
        problem = "that climbs: a step goes against the gradient."
    elif not torch.allclose(returned, right):
        problem = f"row 0 should become {right[0].tolist()}, not {returned[0].tolist()}."
    elif not torch.equal(answer(weight.clone(), broken, bits.clone(), lr), right):
        problem = (
            "with an infinite gradient in the frozen row, that row is no number any more: "
            "0 · ∞ is NaN, so choose rows, do not multiply."
        )
    elif not torch.equal(original, weight):
        problem = "the weight that was given changed, too; work on a clone."
    return verdict(problem, "frozen rows are not written to, so they stay bit for bit.")


@exercise(
    "03b",
    "Shares under a global cut",
    level=2,
    minutes=10,
    hints=(
        "One ranking holds for the whole model: a parameter of high scores gives up few "
        "units, one of low scores nearly all.",
        "torch.cat all scores and find the lowest of the round(keep · n) highest; then ask of"
        " each parameter which part of it reaches that.",
    ),
)
def check_global_shares(
    answer: Callable[[dict[str, Tensor], float], Mapping[str, float | Tensor]],
) -> str:
    """Try a function that says what share of each parameter moves if one cut holds for all.

    Args:
        answer: takes parameter → (units,) scores and a keep share, returns parameter → the share of
            its units among the round(keep · n) highest of all n units of the model.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    rng = torch.Generator().manual_seed(0)
    scores = {
        "high": 10 + torch.rand(10, generator=rng),
        "low": torch.rand(40, generator=rng),
        "mixed": 5 * torch.rand(50, generator=rng),
    }
    keep = 0.3
    returned = answer({name: s.clone() for name, s in scores.items()}, keep)
    if returned is None or returned is ...:
        return verdict(NOTHING)
    if not isinstance(returned, dict) or returned.keys() != scores.keys():
        return verdict(f"return a dictionary with the keys {', '.join(scores)}.")
    shares = {
        name: number for name, value in returned.items() if (number := as_number(value)) is not None
    }
    if len(shares) < len(scores):
        return verdict("return one number for every parameter.")
    bits = select({name: s.numpy() for name, s in scores.items()}, keep, "global")
    counts = {name: int(moving.sum()) for name, moving in bits.items()}
    right = {name: counts[name] / len(values) for name, values in scores.items()}

    def same(other: dict[str, float]) -> bool:
        return all(math.isclose(v, other[n], abs_tol=1e-6) for n, v in shares.items())

    problem = None
    if not same(right):
        name = next(n for n, v in shares.items() if not math.isclose(v, right[n], abs_tol=1e-6))
        problem = f"of '{name}' {right[name]:.0%} move, not {shares[name]:.0%}."
        if same(dict.fromkeys(scores, keep)):
            problem = "that is scope 'parameter': every parameter moves the same share."
        elif same({n: float(k) for n, k in counts.items()}):
            problem = "those are numbers of units; divide each by the parameter's units."
        elif same({n: k / sum(counts.values()) for n, k in counts.items()}):
            problem = "those are shares of the mask; divide by the parameter's own units instead."
        elif same({n: k / 100 for n, k in counts.items()}):
            problem = "those are shares of the model; divide by the parameter's own units instead."
    return verdict(problem, "a parameter whose units all score high moves whole, others hardly.")


Step = Callable[[Tensor, Tensor, Optimizer], Any]


@exercise(
    "03c",
    "A step that freezes",
    level=3,
    minutes=10,
    hints=(
        "An optimiser moves weights by more than the gradient: by weight decay, and by its "
        "memory of earlier gradients.",
        "So let it step as it likes, and repair the frozen rows afterwards.",
        "Before the step: a clone of weight.detach()[~bits]. After it, under torch.no_grad():"
        " put it back.",
    ),
)
def check_careful_step(answer: Step) -> str:
    """Try a function that takes an optimiser's step and leaves frozen rows exactly as they are.

    Args:
        answer: takes a weight (out, in) with its gradient in `.grad`, (out,) bools, and an
            optimiser of that weight; after it, rows that are True have moved as the optimiser
            moves them, and the others are bit for bit what they were.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    cases: dict[str, tuple[Callable[[list[Tensor]], Optimizer], str]] = {
        "plain SGD": (lambda p: SGD(p, lr=0.1), "the gradient of a frozen row must not count."),
        "AdamW with weight decay": (
            lambda p: AdamW(p, lr=0.1, weight_decay=0.1),
            "weight decay pulls at every weight, gradient or none.",
        ),
        "SGD with momentum from before": (
            lambda p: SGD(p, lr=0.1, momentum=0.9),
            "its momentum from earlier steps goes on.",
        ),
        "AdamW with moments from before": (
            lambda p: AdamW(p, lr=0.1, weight_decay=0.0),
            "its first moment from earlier steps goes on.",
        ),
    }
    for name, (make, why) in cases.items():
        problem = _wrong_step(answer, make, why, warm="before" in name)
        if problem:
            return f"Not yet ({name}): {problem}"
    return verdict(None, "whatever the optimiser does, a frozen row is put back as it was.")


def _wrong_step(
    answer: Step, make: Callable[[list[Tensor]], Optimizer], why: str, warm: bool
) -> str | None:
    bits = torch.tensor([True, False])
    after: list[Tensor] = []
    for step in (lambda weight, bits, optimizer: optimizer.step(), answer):
        weight = torch.nn.Parameter(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        optimizer = make([weight])
        if warm:
            weight.grad = torch.ones_like(weight)
            optimizer.step()
        before = weight.detach().clone()
        weight.grad = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
        step(weight, bits.clone(), optimizer)
        after.append(weight.detach())
    free, returned = after
    if torch.equal(returned, before):
        return "nothing moved; call optimizer.step()."
    if not torch.equal(returned[1], before[1]):
        return f"the frozen row moved by {float((returned[1] - before[1]).abs().max()):.2g}: {why}"
    if not torch.allclose(returned[0], free[0]):
        return "the row that may move did not move as the optimiser moves it."
    return None
