"""Drawing the splits of trace-mini: the same seed gives the same bytes."""

from collections.abc import Callable, Collection
from random import Random

from fggm_lab.errors import SettingError
from fggm_lab.tasks.task import Example
from fggm_lab.tasks.trace_mini.families import FAMILIES
from fggm_lab.tasks.trace_mini.skills import HARD, SKILLS

TASK_SIZES = {"train": 640, "eval": 64, "test": 100}
GENERAL_SIZES = {"eval": 32, "test": 48}


def _distinct(draw: Callable[[], Example], count: int, what: str) -> list[Example]:
    """Draw until there are enough different prompts.

    Args:
        draw: gives an example at random.
        count: how many examples.
        what: they are for, for the message.

    Returns:
        Examples whose prompts all differ, in the order they were drawn.

    Raises:
        SettingError: the vocabulary is too small for that many.
    """
    examples: dict[str, Example] = {}
    for _ in range(200 * count):
        example = draw()
        examples.setdefault(example.prompt, example)
        if len(examples) == count:
            return list(examples.values())
    raise SettingError(f"{what} cannot give {count} different prompts; ask for fewer examples")


def _split(examples: list[Example], sizes: dict[str, int]) -> dict[str, list[Example]]:
    splits, start = {}, 0
    for name, size in sizes.items():
        splits[name] = examples[start : start + size]
        start += size
    return splits


def task_splits(seed: int = 0) -> dict[str, dict[str, list[Example]]]:
    """Every task's splits, drawn from the new half of its family's words.

    Returns:
        task name → split name → examples; no prompt occurs twice in a task.
    """
    tasks = {}
    for name, family in FAMILIES.items():
        rng = Random(f"trace-mini/{name}/{seed}")
        drawn = _distinct(lambda: family.draw(rng, "new"), sum(TASK_SIZES.values()), name)  # noqa: B023
        tasks[name] = _split(drawn, TASK_SIZES)
    return tasks


def general_splits(seed: int = 0) -> dict[str, dict[str, list[Example]]]:
    """Every skill's `eval` and `test` splits; pretraining never sees their prompts."""
    skills = {}
    for name, draw in SKILLS.items():
        rng = Random(f"general/{name}/{seed}")
        drawn = _distinct(lambda: draw(rng), sum(GENERAL_SIZES.values()), name)  # noqa: B023
        skills[name] = _split(drawn, GENERAL_SIZES)
    return skills


def pretraining_example(rng: Random, held_out: Collection[str]) -> Example:
    """One example of a skill or, as often, of a family's known half; never a held-out prompt."""
    while True:
        if rng.random() < 0.5:
            (skill,) = rng.choices(list(SKILLS), [HARD.get(name, 1) for name in SKILLS])
            example = SKILLS[skill](rng)
        else:
            example = FAMILIES[rng.choice(list(FAMILIES))].draw(rng, "known")
        if example.prompt not in held_out:
            return example
