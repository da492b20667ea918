"""General abilities: what the base model can do before any task, and no task trains again."""

from collections.abc import Callable
from random import Random

from fggm_lab.tasks.task import Example
from fggm_lab.tasks.trace_mini import vocabulary as words

LETTERS = "abcdefghijklmnoprstuvw"


def _letters(rng: Random) -> list[str]:
    return rng.sample(LETTERS, rng.randint(3, 6))


def _copy(rng: Random) -> Example:
    letters = " ".join(_letters(rng))
    return Example(f"Copy: {letters}\nAnswer:", letters)


def _reverse(rng: Random) -> Example:
    letters = _letters(rng)
    return Example(f"Reverse: {' '.join(letters)}\nAnswer:", " ".join(reversed(letters)))


def _sort(rng: Random) -> Example:
    digits = [str(d) for d in rng.sample(range(10), rng.randint(3, 5))]
    return Example(f"Sort: {' '.join(digits)}\nAnswer:", " ".join(sorted(digits)))


def _compare(rng: Random) -> Example:
    a, b = rng.sample(range(10, 100), 2)
    return Example(f"Which is larger, {a} or {b}?\nAnswer:", str(max(a, b)))


def _sum(rng: Random) -> Example:
    a, b = rng.randint(1, 29), rng.randint(1, 29)
    return Example(f"Sum: {a} + {b}\nAnswer:", str(a + b))


def _spell(rng: Random) -> Example:
    chosen = rng.sample(words.SPELLED, 2)
    return Example(
        f"Spell: {' and '.join(chosen)}\nAnswer:", " and ".join(" ".join(word) for word in chosen)
    )


def _capital(rng: Random) -> Example:
    country, other = rng.sample(sorted(words.CAPITALS), 2)
    asks, answer = rng.choice(
        [
            (f"{country} and {other}. The capital of the first?", words.CAPITALS[country]),
            (f"{other} and {country}. The capital of the second?", words.CAPITALS[country]),
        ]
    )
    return Example(f"{asks}\nAnswer:", answer)


def _owner(rng: Random) -> Example:
    first, second = rng.sample(words.NAMES, 2)
    toy, other = rng.sample(words.TOYS, 2)
    story = f"{first} has a {toy}. {second} has a {other}."
    toy_in_question, owner = rng.choice([(toy, first), (other, second)])
    if rng.random() < 0.5:
        story += f" {owner} gives the {toy_in_question} to {first if owner == second else second}."
        owner = first if owner == second else second
    return Example(f"{story} Who has the {toy_in_question}?\nAnswer:", owner)


def _story(rng: Random) -> Example:
    hero, friend = rng.sample(words.NAMES, 2)
    animal, helper = rng.sample(words.ANIMALS, 2)
    color, toy, site = rng.choice(words.COLORS), rng.choice(words.TOYS), rng.choice(words.SITES)
    return Example(
        f"{hero} the {animal} lost a {color} {toy} near {site}. "
        f"{friend} the {helper} found it.\nThe end:",
        f"{friend} gave the {color} {toy} back to {hero} the {animal}.",
    )


SKILLS: dict[str, Callable[[Random], Example]] = {
    "copy": _copy,
    "reverse": _reverse,
    "sort": _sort,
    "compare": _compare,
    "sum": _sum,
    "spell": _spell,
    "capital": _capital,
    "owner": _owner,
    "story": _story,
}
"""Skills by name; each draws one example."""

HARD = {"compare": 2, "sum": 2, "owner": 4}
"""How often pretraining draws a skill that takes longer to learn; the others count once."""
