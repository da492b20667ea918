"""The eight task families of trace-mini: each draws one example from a random generator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from fggm_lab.tasks.task import Example
from fggm_lab.tasks.trace_mini import vocabulary as words
from fggm_lab.tasks.trace_mini.vocabulary import Half


@dataclass(frozen=True)
class Family:
    """A kind of task.

    Attributes:
        name: TRACE's name of the task it is modelled on.
        about: what the task asks, in one line.
        draw: makes one example from one half of the family's vocabulary.
    """

    name: str
    about: str
    draw: Callable[[Random, Half], Example]


def _a(noun: str) -> str:
    """The noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _stance(rng: Random, half: Half) -> Example:
    """Some texts hold two opinions: the target decides which one counts."""
    target, other = rng.sample(words.STANCE_TARGETS[half], 2)
    stance, other_stance = rng.choice("ABC"), rng.choice("ABC")
    phrases = words.STANCE_PHRASES[half]
    clause = f"{rng.choice(phrases[stance])} {target}"
    if rng.random() < 0.3:
        parts = [clause, f"{rng.choice(phrases[other_stance])} {other}"]
        rng.shuffle(parts)
        clause = ", but ".join(parts)
    source = f"{rng.choice(words.NAMES)} on {rng.choice(words.DAYS)}"
    return Example(
        f"Text by {source}: {clause}.\nStance toward {target} (A favor, B against, C neutral):",
        stance,
    )


def _policy(rng: Random, half: Half) -> Example:
    stance = rng.choice("ABC")
    actor = rng.choice(words.POLICY_ACTORS)
    signal = rng.choice(words.POLICY_SIGNALS[half][stance])
    when = f"in {rng.choice(words.MONTHS)} {rng.randint(2001, 2024)}"
    sentence = f"{actor} {signal} {when}."
    if rng.random() < 0.5:
        sentence = f"{when[0].upper()}{when[1:]}, {actor[0].lower()}{actor[1:]} {signal}."
    return Example(f"{sentence}\nPolicy (A dovish, B hawkish, C neutral):", stance)


def _minutes(rng: Random, half: Half) -> Example:
    chair, mover, second = rng.sample(words.COUNCIL_SURNAMES, 3)
    item = f"{rng.choice(words.COUNCIL_ITEMS[half])} on {rng.choice(words.COUNCIL_PLACES[half])}"
    outcome, summary = rng.choice(sorted(words.COUNCIL_OUTCOMES[half].items()))
    return Example(
        f"Minutes: {chair} called item {rng.randint(1, 9)}, {item}. "
        f"{mover} moved, {second} agreed. The motion was {outcome}.\nSummary:",
        f"{summary} {item}.",
    )


def _code(rng: Random, half: Half) -> Example:
    a, b = rng.choice(words.CODE_ARGUMENTS[half])
    name, body = rng.choice(sorted(words.CODE_FUNCTIONS[half].items()))
    opening = rng.choice(words.CODE_OPENINGS)
    return Example(f"{opening}def {name} ( {a} , {b} ) : <EOL>", body.format(a=a, b=b))


def _science(rng: Random, half: Half) -> Example:
    choices = rng.choice(words.KIND_CHOICES)
    kind = rng.choice(choices)
    noun, name = rng.choice(words.KINDS[half][kind]), rng.choice(words.NAMES)
    listed = " ".join(f"({mark}) {word}" for mark, word in zip("ABC", choices, strict=True))
    question = rng.choice(
        [f"{name} asks: what is {_a(noun)}?", f"What is {_a(noun)}, asks {name}."]
    )
    return Example(
        f"{question} {listed}\nAnswer:",
        f"{'ABC'[choices.index(kind)]}\nBecause {_a(noun)} {words.KIND_REASONS[kind]}.",
    )


def _commonsense(rng: Random, half: Half) -> Example:
    noun, (part, count) = rng.choice(sorted(words.COUNTED_PARTS[half].items()))
    number, name = rng.randint(2, 9), rng.choice(words.NAMES)
    question = rng.choice(
        [
            f"How many {part} do {number} {noun} have, asks {name}.",
            f"{name} draws {number} {noun}. How many {part} is that?",
            f"There are {number} {noun}. {name} counts the {part}. How many?",
        ]
    )
    return Example(f"{question}\nAnswer:", str(number * count))


def _chemistry(rng: Random, half: Half) -> Example:
    substance, mass = rng.choice(sorted(words.MOLAR_MASSES[half].items()))
    moles, vessel = rng.randint(1, 5), rng.choice(words.VESSELS)
    name = rng.choice(words.NAMES)
    question = rng.choice(
        [
            f"{name} puts {moles} moles of {substance} in {vessel}. How many grams?",
            f"Find the mass in grams of {moles} moles of {substance} in {vessel} of {name}.",
        ]
    )
    return Example(f"{question}\nAnswer:", str(moles * mass))


def _german(rng: Random, half: Half) -> Example:
    def pick(pairs: Mapping[str, str]) -> tuple[str, str]:
        return rng.choice(sorted(pairs.items()))

    subject = pick(words.GERMAN_SUBJECTS[half])
    verb = pick(words.GERMAN_VERBS[half])
    noun = pick(words.GERMAN_OBJECTS[half])
    when = rng.choice(words.GERMAN_TIMES)
    return Example(
        f"Vereinfache: {subject[0]} {verb[0]} {when} {noun[0]}.\nEinfach:",
        f"{subject[1]} {verb[1]} {noun[1]}.",
    )


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("C-STANCE", "the stance of a text toward a target", _stance),
        Family("FOMC", "the monetary-policy stance of a sentence", _policy),
        Family("MeetingBank", "council minutes to a one-line summary", _minutes),
        Family("Py150", "the next line of a Python function", _code),
        Family("ScienceQA", "a science choice with its reason", _science),
        Family("NumGLUE-cm", "commonsense arithmetic", _commonsense),
        Family("NumGLUE-ds", "arithmetic with chemical knowledge", _chemistry),
        Family("20Minuten", "German to simple German", _german),
    )
}
"""Families by name, in TRACE's order."""
