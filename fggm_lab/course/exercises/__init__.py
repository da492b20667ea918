"""Self-checks of the course's exercises, a file per subject.

A check tries an answer and returns one sentence: `Right: …`, or `Not yet: …` with what is wrong.
It is an `Exercise`: `check.hint()` helps, a step at each call, and last gives a solution.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from fggm_lab.course.exercises.exercise import Exercise

__all__ = ["Exercise", "all_exercises"]


def all_exercises() -> list[Exercise[Any]]:
    """Every exercise of the course that checks itself, in the course's order."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    exercises = {
        value.key: value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Exercise)
    }
    return [exercises[key] for key in sorted(exercises)]
