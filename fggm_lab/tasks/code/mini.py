"""code-mini: four small Python skills, drawn by a seed, each answer checked by unit tests.

Every prompt is a comment that says what a function does and the function's first line; the answer
is its body. The tests' right values come from a second, plain implementation, never from the
answer's own text. The skills share their words (above, times, first) and their first line, so that
learning one disturbs the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from fggm_lab.tasks.records import Example

CODE_MINI = "code-mini"
"""The name under which the shipped sequence of code tasks is loaded."""

SIZES = {"train": 640, "eval": 64, "test": 100}

_LETTERS = "abcdefghijklmnoprstuvw"


@dataclass(frozen=True)
class _Drawn:
    """What is asked, the body that does it, what it computes, and arguments to try it on."""

    asked: str
    body: str
    computes: Callable[[Any], Any]
    tried: tuple[Any, ...]

    def example(self) -> Example:
        tests = [f"assert f({value!r}) == {self.computes(value)!r}" for value in self.tried]
        return Example(f"# {self.asked}\ndef f(x):\n", f"    {self.body}", "\n".join(tests))


def _arithmetic(rng: Random) -> _Drawn:
    a, b = rng.randint(2, 9), rng.randint(2, 60)
    asked, body, computes = rng.choice(
        [
            (f"x times {a} plus {b}", f"return x * {a} + {b}", lambda x: b + sum([x] * a)),
            (f"x times {a} minus {b}", f"return x * {a} - {b}", lambda x: sum([x] * a) - b),
            (f"x plus {b}, times {a}", f"return (x + {b}) * {a}", lambda x: sum([x + b] * a)),
            (f"{b} minus x, times {a}", f"return ({b} - x) * {a}", lambda x: sum([b - x] * a)),
        ]
    )
    return _Drawn(asked, body, computes, (0, 1, rng.randint(10, 99)))


def _branches(rng: Random) -> _Drawn:
    edge, one, other = rng.randint(2, 60), *rng.sample(range(10), 2)
    word, sign, holds = rng.choice(
        [
            ("above", ">", lambda x: x in range(edge + 1, 1000)),
            ("below", "<", lambda x: x not in range(edge, 1000)),
            ("equal to", "==", lambda x: x in (edge,)),
        ]
    )
    body = f"if x {sign} {edge}:\n        return {one}\n    return {other}"
    return _Drawn(
        f"{one} if x is {word} {edge}, else {other}",
        body,
        lambda x: (other, one)[holds(x)],
        (edge - 1, edge, edge + 1),
    )


def _lists(rng: Random) -> _Drawn:
    edge, by = rng.randint(2, 40), rng.randint(2, 9)
    word, sign, holds = rng.choice(
        [
            ("above", ">", lambda n: n in range(edge + 1, 1000)),
            ("below", "<", lambda n: n not in range(edge, 1000)),
            ("not", "!=", lambda n: n not in (edge,)),
        ]
    )
    change, operator, changed = rng.choice(
        [
            ("times", "*", lambda n: sum([n] * by)),
            ("plus", "+", lambda n: sum([n, by])),
        ]
    )
    near = [edge + 1, edge, edge - 1, edge + rng.randint(2, 9), edge - 2]
    return _Drawn(
        f"all of x {word} {edge}, {change} {by}",
        f"return [n {operator} {by} for n in x if n {sign} {edge}]",
        lambda numbers: list(map(changed, filter(holds, numbers))),
        (near, [], near[::-2]),
    )


def _strings(rng: Random) -> _Drawn:
    old, new = rng.sample(_LETTERS, 2)
    count = rng.randint(1, 9)
    word, cut, kept = rng.choice(
        [
            ("first", f"[:{count}]", lambda text: text[:count]),
            ("last", f"[-{count}:]", lambda text: text[len(text) - count :]),
        ]
    )
    asked, call, change = rng.choice(
        [
            (f"{old} as {new}", f".replace('{old}', '{new}')", {old: new}),
            (f"without {old}", f".replace('{old}', '')", {old: ""}),
        ]
    )
    tried = tuple("".join(rng.choice((old, *_LETTERS)) for _ in range(12)) for _ in range(2))
    return _Drawn(
        f"{word} {count} letters of x, {asked}",
        f"return x{cut}{call}",
        lambda text: "".join(change.get(letter, letter) for letter in kept(text)),
        (old * 12, *tried),
    )


SKILLS: dict[str, Callable[[Random], _Drawn]] = {
    "Arithmetic": _arithmetic,
    "Branches": _branches,
    "Lists": _lists,
    "Strings": _strings,
}
"""The skills by name, in the order in which they are learned."""


def code_splits(seed: int = 0) -> dict[str, dict[str, list[Example]]]:
    """Every skill's splits; no prompt occurs twice in a skill.

    Returns:
        skill name → split name → examples with tests.
    """
    skills = {}
    for name, draw in SKILLS.items():
        rng = Random(f"{CODE_MINI}/{name}/{seed}")
        found: dict[str, Example] = {}
        while len(found) < sum(SIZES.values()):
            example = draw(rng).example()
            found.setdefault(example.prompt, example)
        left = iter(found.values())
        skills[name] = {split: [next(left) for _ in range(size)] for split, size in SIZES.items()}
    return skills
