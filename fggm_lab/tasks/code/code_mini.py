"""code-mini: four small skills of writing Python, drawn by a seed, each answer checked by tests.

Each skill is a way of being told what a function shall do: by a comment, a docstring, a comment in
German, or the function's name. What functions do is the same in all four, so that a skill is
forgotten by degrees while the next is learned: skills whose answers looked different wiped each
other out within one task. What is right is worked out a second time, by counting, and never from
the answer's own text.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from fggm_lab.tasks.shipped import CODE_MINI
from fggm_lab.tasks.task import Example

SIZES = {"train": 640, "eval": 64, "test": 100}

OPERANDS = range(2, 200)
"""What K stands for in what is asked."""


@dataclass(frozen=True)
class Operation:
    """Something a function can do with its argument x and a number K.

    Attributes:
        expression: it in Python.
        comes_to: its value for x and K, by other means.
        phrases: how each skill asks for it, in the order of `SKILLS`.
    """

    expression: str
    comes_to: Callable[[int, int], int | bool]
    phrases: tuple[str, str, str, str]


OPERATIONS = (
    Operation(
        "x + K",
        lambda x, k: len([*range(x), *range(k)]),
        ("x plus K", "the sum of x and K", "x und K", "add_K"),
    ),
    Operation(
        "x - K",
        lambda x, k: x + ~k + 1,
        ("x minus K", "the difference of x and K", "x weniger K", "take_K"),
    ),
    Operation(
        "x * K",
        lambda x, k: sum([x] * k),
        ("x times K", "the product of x and K", "x mal K", "multiply_K"),
    ),
    Operation(
        "x // K",
        lambda x, k: len(range(k, x + 1, k)),
        ("x over K", "the quotient of x and K", "x durch K", "divide_K"),
    ),
    Operation(
        "x % K",
        lambda x, k: [*range(k), *range(k), *range(k), *range(k)][x],
        ("x modulo K", "the rest of x by K", "Rest von x durch K", "remainder_K"),
    ),
    Operation(
        "x > K",
        lambda x, k: x not in range(k + 1),
        ("x above K", "whether x exceeds K", "ist x mehr als K", "larger_K"),
    ),
    Operation(
        "x < K",
        lambda x, k: x in range(k),
        ("x below K", "whether K exceeds x", "ist x weniger als K", "smaller_K"),
    ),
    Operation(
        "x == K",
        lambda x, k: x in (k,),
        ("x equal to K", "whether x matches K", "ist x gleich K", "same_K"),
    ),
)

SKILLS = {
    "Comments": "# ASKED\ndef f(x):\n",
    "Docstrings": "def f(x):\n    'ASKED'\n",
    "German": "# ASKED\ndef f(x):\n",
    "Names": "def ASKED(x):\n",
}
"""The skills by name, in the order in which they are learned: the prompt around what is asked."""


def code_splits(seed: int = 0) -> dict[str, dict[str, list[Example]]]:
    """Every skill's splits; no prompt occurs twice in a skill.

    Returns:
        skill name → split name → examples with tests.
    """
    skills = {}
    for at, skill in enumerate(SKILLS):
        rng = Random(f"{CODE_MINI}/{skill}/{seed}")
        every = [(operation, number) for operation in OPERATIONS for number in OPERANDS]
        drawn = iter(rng.sample(every, sum(SIZES.values())))
        skills[skill] = {
            split: [_example(skill, at, *next(drawn), rng) for _ in range(size)]
            for split, size in SIZES.items()
        }
    return skills


def _example(skill: str, at: int, operation: Operation, number: int, rng: Random) -> Example:
    phrase = operation.phrases[at].replace("K", str(number))
    name = phrase if skill == "Names" else "f"
    tests = []
    for x in (number - 1, number, number + 1, 3 * number + rng.randrange(number)):
        value = operation.comes_to(x, number)
        relation = "is" if isinstance(value, bool) else "=="
        tests.append(f"assert {name}({x}) {relation} {value}")
    return Example(
        SKILLS[skill].replace("ASKED", phrase),
        f"    return {operation.expression.replace('K', str(number))}",
        "\n".join(tests),
    )
