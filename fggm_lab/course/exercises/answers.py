"""What the checks share: trying a formula on several inputs, and naming the mistake in it."""

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
        right: what to say of a right answer, perhaps with a further thought.

    Returns:
        `Right: …` or `Not yet: …`.
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
    inputs: Sequence[Any],
    right: Callable[..., float],
    mistakes: Mapping[str, Callable[..., float]],
    form: str,
) -> str | None:
    """What is wrong with a formula that gives one number.

    A known mistake is named if the answer equals it on every input; else the first input on which
    the answer is wrong is named, with the number it should be.

    Args:
        answer: the formula to try.
        symbols: the names of its arguments: `p`, or `p, k` for two.
        inputs: values of the one argument, or tuples of the values of all.
        right: the right formula.
        mistakes: hint → the mistaken formula that it explains.
        form: the format of numbers in the sentence, as for `format`.

    Returns:
        a sentence, or None if the answer is right.
    """
    names = symbols.split(", ")
    arguments = [values if len(names) > 1 else (values,) for values in inputs]
    returned = [answer(*deepcopy(values)) for values in arguments]  # an answer may sort in place
    if any(value is None or value is ... for value in returned):
        return NOTHING
    numbers = [as_number(value) for value in returned]
    if None in numbers:
        return "return a number."
    expected = [right(*values) for values in arguments]
    if _same(numbers, expected):
        return None
    for hint, mistake in mistakes.items():
        if _same(numbers, [mistake(*values) for values in arguments]):
            return hint
    first = next(
        i for i in range(len(arguments)) if not _same(numbers[i : i + 1], expected[i : i + 1])
    )
    where = ", ".join(
        f"{name} = {_text(value)}" for name, value in zip(names, arguments[first], strict=True)
    )
    return f"for {where} it should be {expected[first]:{form}}, not {numbers[first]:{form}}."


def _text(value: object) -> str:
    """A value as a reader would write it; numbers of a tensor or list without needless digits."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _same(numbers: Sequence[float | None], expected: Sequence[float]) -> bool:
    return all(
        a is not None and math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-9)
        for a, b in zip(numbers, expected, strict=True)
    )


def wrong_tensor(returned: object, right: Tensor, mistakes: Mapping[str, Tensor]) -> str | None:
    """What is wrong with a tensor of numbers.

    Args:
        returned: the answer.
        right: (n,) the right tensor.
        mistakes: hint → the mistaken tensor, of any shape, that it explains.

    Returns:
        a sentence, or None if the answer is right.
    """
    if returned is None or returned is ...:
        return NOTHING
    if not isinstance(returned, Tensor):
        return f"return a tensor of {right.numel()} numbers."
    for hint, mistake in mistakes.items():
        if returned.shape == mistake.shape and _close(returned, mistake).all():
            return hint
    if returned.shape != right.shape:
        return f"return a tensor of shape {tuple(right.shape)}, not {tuple(returned.shape)}."
    close = _close(returned, right)
    if close.all():
        return None
    first = int((~close).flatten().nonzero()[0])
    expected, actual = right.flatten()[first], returned.flatten()[first]
    return f"in the check's data, entry {first} should be {expected:.4f}, not {actual:.4f}."


def _close(a: Tensor, b: Tensor) -> Tensor:
    """Which entries of two tensors of one shape are equal but for rounding."""
    return torch.isclose(a.float(), b.float(), rtol=1e-4)
