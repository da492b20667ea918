"""What the checks share: trying a formula at several places, and naming the mistake in it."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

NOTHING = "nothing comes back; end with a return."


def verdict(problem: str | None, right: str = "") -> str:
    """The sentence a check returns.

    Args:
        problem: what is wrong with the answer, None if nothing is.
        right: what to say of a right answer, perhaps with a thought to take along.
    """
    return f"Right: {right}" if problem is None else f"Not yet: {problem}"


def as_number(value: object) -> float | None:
    """A number given as int, float, or a tensor of one entry; None for anything else."""
    if isinstance(value, Tensor):
        return float(value) if value.numel() == 1 and value.dtype != torch.bool else None
    return float(value) if isinstance(value, int | float) and value is not True else None


def wrong_number(
    answer: Callable[..., object],
    symbols: str,
    places: Sequence[Any],
    right: Callable[..., float],
    mistakes: Mapping[str, Callable[..., float]],
    form: str,
) -> str | None:
    """What is wrong with a formula that gives one number.

    A mistake is named if the answer is that mistake at every place; else the first place where the
    answer is wrong, with the number it should be.

    Args:
        answer: the formula to try.
        symbols: what its arguments are called: `p`, or `p, k` for two.
        places: where to try it, values of the one argument, or tuples of all.
        right: the right formula.
        mistakes: what to say of a formula that always gives the same as this one.
        form: how numbers are written.
    """
    names = symbols.split(", ")
    given = [place if len(names) > 1 else (place,) for place in places]
    told = [answer(*deepcopy(values)) for values in given]  # an answer may sort in place
    if any(value is None or value is ... for value in told):
        return NOTHING
    got = [as_number(value) for value in told]
    if None in got:
        return "return a number."
    wanted = [right(*values) for values in given]
    if _same(got, wanted):
        return None
    for hint, mistake in mistakes.items():
        if _same(got, [mistake(*values) for values in given]):
            return hint
    at = next(i for i in range(len(given)) if not _same(got[i : i + 1], wanted[i : i + 1]))
    where = ", ".join(f"{n} = {_told(value)}" for n, value in zip(names, given[at], strict=True))
    return f"for {where} it should be {wanted[at]:{form}}, not {got[at]:{form}}."


def _told(value: object) -> str:
    """A value as a reader would write it; numbers of a tensor or list without needless digits."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list):
        return f"[{', '.join(map(_told, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _same(got: Sequence[float | None], wanted: Sequence[float]) -> bool:
    return all(
        g is not None and math.isclose(g, w, rel_tol=1e-5, abs_tol=1e-9)
        for g, w in zip(got, wanted, strict=True)
    )


def wrong_tensor(got: object, right: Tensor, mistakes: Mapping[str, Tensor]) -> str | None:
    """What is wrong with a tensor of numbers.

    Args:
        got: the answer.
        right: (n,) the right one.
        mistakes: what to say of an answer that equals this tensor, whatever its shape.
    """
    if got is None or got is ...:
        return NOTHING
    if not isinstance(got, Tensor):
        return f"return a tensor of {right.numel()} numbers."
    for hint, mistake in mistakes.items():
        if got.shape == mistake.shape and torch.allclose(got.float(), mistake.float(), rtol=1e-4):
            return hint
    if got.shape != right.shape:
        return f"return a tensor of shape {tuple(right.shape)}, not {tuple(got.shape)}."
    if torch.allclose(got.float(), right.float(), rtol=1e-4):
        return None
    first = int((~torch.isclose(got.float(), right.float(), rtol=1e-4)).flatten().nonzero()[0])
    wanted, given = right.flatten()[first], got.flatten()[first]
    return f"in the check's data, entry {first} should be {wanted:.4f}, not {given:.4f}."
