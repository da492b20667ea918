"""Checks on code tasks accept right answers and name what is wrong with others."""

from collections.abc import Callable
from math import comb
from typing import Any

import pytest

from fggm_lab.course.exercises.code import check_inputs, check_left, check_pass_at_k, left


@pytest.mark.parametrize(
    "inputs", [lambda k: [k - 1, k, k + 1], lambda k: (k, k + 1, 0, 2 * k - 1)]
)
def test_inputs_that_tell_all_operations_apart(inputs: Callable[[int], Any]) -> None:
    assert check_inputs(inputs).startswith("Right")


@pytest.mark.parametrize(
    ("inputs", "hint"),
    [
        (lambda k: [k], "`x + 2` also let `x * 2` pass"),
        (lambda k: [k, k + 1], "`x - 2` also let `x % 2` pass"),
        (lambda k: [k, 2 * k], "`x > 2` also let `x > 3` pass"),
        (lambda k: [6, 7, 8] if k == 7 else [k - 1, k, k + 1, 6], "Right"),
        (lambda k: [1, 2, 3], "x in [1, 2, 3]"),
        (lambda k: [-1, k], "take x from 0 to 7"),
        (lambda k: [], "also let"),
        (lambda k: [k, True], "whole numbers"),
        (lambda k: k, "whole numbers"),
        (lambda k: None, "nothing comes back"),
    ],
)
def test_inputs_that_are_too_few(inputs: Callable[[int], Any], hint: str) -> None:
    message = check_inputs(inputs)
    assert hint in message and message.startswith("Right" if hint == "Right" else "Not yet")


Left = Callable[[str, str, str], Any]


def without(part: str) -> Left:
    return lambda prompt, completion, solution: left(prompt, completion, solution) - {part}


def alone(prompt: str, completion: str, solution: str) -> set[str]:
    """Parses the completion without its prompt, whose indentation it must match."""
    return left("def f(x):\n", completion, solution)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (left, "Right"),
        (lambda p, c, s: tuple(left(p, c, s)), "Right"),
        (without("parses"), "say 'parses'"),
        (without("number"), "say 'number'"),
        (without("operator"), "say 'operator'"),
        (lambda p, c, s: {"parses", "number", "operator"}, "do not say 'operator'"),
        (alone, "do not say 'parses'"),
        (lambda p, c, s: left(p, c, s) | ({"number"} if s[-2:] in c else set()), "'number'"),
        (lambda p, c, s: {"syntax"}, "not 'syntax'"),
        (lambda p, c, s: "parses", "a set of names"),
        (lambda p, c, s: None, "nothing comes back"),
    ],
)
def test_what_is_left_of_an_answer(answer: Left, hint: str) -> None:
    message = check_left(answer)
    assert hint in message and message.startswith("Right" if hint == "Right" else "Not yet")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n, c, k: 1 - comb(n - c, k) / comb(n, k), "Right"),
        (lambda n, c, k: 1 - (1 - c / n) ** k, "with replacement"),
        (lambda n, c, k: comb(n - c, k) / comb(n, k), "all k are wrong"),
        (lambda n, c, k: c / n, "pass@1"),
        (lambda n, c, k: min(1.0, k * c / n), "chances do not add up"),
        (lambda n, c, k: 0.5, "it should be"),
        (lambda n, c, k: None, "nothing comes back"),
    ],
)
def test_the_estimate_of_pass_at_k(answer: Callable[[int, int, int], Any], hint: str) -> None:
    message = check_pass_at_k(answer)
    assert hint in message and message.startswith("Right" if hint == "Right" else "Not yet")
