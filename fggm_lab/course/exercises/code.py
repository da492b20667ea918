"""Checks on code tasks: tests that are sharp enough, what is left of an answer, pass@k."""

import ast
import re
from collections.abc import Callable, Collection, Sequence
from itertools import combinations
from typing import Any

from fggm_lab.course.exercises.answers import NOTHING, verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise
from fggm_lab.tasks.code import pass_at_k
from fggm_lab.tasks.code.code_mini import OPERATIONS

_CONSTANTS = (2, 7, 100)
"""Values of K in `check_inputs`."""


@exercise(
    "10a",
    "Inputs that tell functions apart",
    level=2,
    minutes=10,
    hints=(
        "At x = K, which of < > == and which pairs of + - * // % give the same? Where do they"
        " part?",
        "x < K and x > K differ from == at K alone; // and % change at K. The edges are K − "
        "1, K and K + 1.",
    ),
)
def check_inputs(answer: Callable[[int], Sequence[int]]) -> str:
    """Try a choice of inputs for the tests of code-mini.

    Args:
        answer: takes K from 2 on, returns whole numbers x from 0 to 4K − 1 at which any two of the
            eight operations with K, and each operation with K and with K + 1, have different
            values; True and 1 are different, as they are for tests that say `is True`.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    for k in _CONSTANTS:
        inputs = answer(k)
        if inputs is None or inputs is ...:
            return verdict(NOTHING)
        if not isinstance(inputs, list | tuple) or not all(type(x) is int for x in inputs):
            return verdict("return a list of whole numbers.")
        if outside := [x for x in inputs if not 0 <= x < 4 * k]:
            return verdict(f"for K = {k} take x from 0 to {4 * k - 1}, not {outside[0]}.")
        right, next_number = (
            [(o.expression.replace("K", str(n)), o.comes_to, n) for o in OPERATIONS]
            for n in (k, k + 1)
        )
        for a, b in [*combinations(right, 2), *zip(right, next_number, strict=True)]:
            if all(_same(a[1](x, a[2]), b[1](x, b[2])) for x in inputs):
                return verdict(
                    f"with x in {list(inputs)} the tests of `{a[0]}` also let `{b[0]}` pass."
                )
    return verdict(None, "no wrong operation and no number one too large passes these tests.")


def _same(a: int | bool, b: int | bool) -> bool:
    return a == b and type(a) is type(b)


_ALL = frozenset({"parses", "number", "operator"})
_COMMENT = "# what is asked\ndef f(x):\n"
_DOCSTRING = "def f(x):\n    'what is asked'\n"
_CASES: tuple[tuple[str, str, str, frozenset[str]], ...] = (
    (_COMMENT, "    return x > 195", "    return x > 195", _ALL),
    (_COMMENT, "    return x - 195", "    return x > 195", _ALL - {"operator"}),
    (_COMMENT, "    return x > 95", "    return x > 195", _ALL - {"number"}),
    (_COMMENT, "    return x > 1950", "    return x > 195", _ALL - {"number"}),
    (_COMMENT, "    return x / 95", "    return x // 195", frozenset({"parses"})),
    (_DOCSTRING, "   return x < 138", "    return x < 138", _ALL - {"parses"}),
    (_COMMENT, "    return x -/ 31", "    return x * 31", frozenset({"number"})),
    (_COMMENT, "    return x *", "    return x * 31", frozenset({"operator"})),
    (_COMMENT, "ddd", "    return x * 31", frozenset()),
)
"""Prompt, completion, solution, and what is left."""

_OPERATORS = r"//|==|[-+*/%<>]"


def left(prompt: str, completion: str, solution: str) -> set[str]:
    """Which parts of a right answer another answer still has: `parses`, `number`, `operator`.

    Args:
        prompt: the beginning of the function.
        completion: the rest, as a model wrote it.
        solution: the right rest, `    return x OPERATOR NUMBER`.

    Returns:
        `parses` if prompt and completion are Python, `number` if the completion has the solution's
        number and no other, `operator` if it has the solution's operator and no other.
    """
    parts = set()
    try:
        ast.parse(prompt + completion)
        parts.add("parses")
    except (SyntaxError, ValueError):  # a ValueError where there are null bytes
        pass
    for name, pattern in (("number", r"\d+"), ("operator", _OPERATORS)):
        if re.findall(pattern, completion) == re.findall(pattern, solution):
            parts.add(name)
    return parts


@exercise(
    "10b",
    "What is left of an answer",
    level=2,
    minutes=15,
    hints=(
        "Three independent questions, so a wrong answer can still have one or two of the three.",
        "ast.parse(prompt + completion) in a try: 'parses' only if no SyntaxError is raised.",
        "For number and operator compare re.findall(pattern, completion) with "
        "re.findall(pattern, solution); patterns such as \\d+ and //|==|[-+*/%<>].",
    ),
)
def check_left(answer: Callable[[str, str, str], Collection[str]]) -> str:
    """Try a function that says what is left of a right answer.

    Args:
        answer: takes prompt, completion and solution, returns a set with `parses` if prompt and
            completion are Python, `number` if the completion has the solution's number and no
            other, `operator` if it has the solution's operator and no other.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    for prompt, completion, solution, right in _CASES:
        returned: Any = answer(prompt, completion, solution)
        if returned is None or returned is ...:
            return verdict(NOTHING)
        if not isinstance(returned, set | frozenset | list | tuple):
            return verdict("return a set of names.")
        if strange := set(returned) - _ALL:
            names = ", ".join(sorted(map(repr, strange)))
            return verdict(f"the names are parses, number and operator, not {names}.")
        where = f"after {prompt!r}, {completion!r}"
        for name in sorted(right - set(returned)):
            return verdict(f"{where} has the {_WORDS[name]}; say {name!r}.")
        for name in sorted(set(returned) - right):
            return verdict(f"{where} has not the {_WORDS[name]}; do not say {name!r}.")
    return verdict(None, "form, number and meaning can be lost one without the other.")


_WORDS = {
    "parses": "form of a Python program",
    "number": "number of the solution alone",
    "operator": "operator of the solution alone",
}


@exercise(
    "10c",
    "An estimate of pass@k",
    level=3,
    minutes=10,
    hints=(
        "Count: of all ways to take k of the n answers, how many take wrong ones only?",
        "comb(n - c, k) of comb(n, k) take wrong ones only; pass@k is the rest.",
    ),
)
def check_pass_at_k(answer: Callable[[int, int, int], float]) -> str:
    """Try the unbiased estimate of pass@k.

    Args:
        answer: takes n completions drawn, c of them right, and k from 1 to n; returns
            1 − C(n − c, k) / C(n, k).

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "n, c, k",
        ((5, 2, 3), (10, 1, 5), (4, 3, 2), (6, 0, 2), (6, 2, 1)),
        pass_at_k,
        {
            "that draws k with replacement, and is too low on average.": lambda n, c, k: (
                1 - (1 - c / n) ** k
            ),
            "that is the chance that all k are wrong; take it from 1.": lambda n, c, k: (
                1 - pass_at_k(n, c, k)
            ),
            "that is pass@1, whatever k is.": lambda n, c, k: c / n,
            "chances do not add up: two may both be right.": lambda n, c, k: min(1.0, k * c / n),
        },
        ".4f",
    )
    return verdict(problem, "of all ways to take k of the n, the share that holds a right one.")
