"""From a run's seed to the random numbers of one task and one purpose."""

from collections.abc import Callable
from hashlib import sha256

import numpy as np

_OF_TASK: Callable[[int, int], int] = lambda seed, task: 1000 * seed + task  # noqa: E731
_FORMULAS: dict[str, Callable[[int, int], int]] = {
    "data order": lambda seed, task: (seed * 1_000_003 + task * 7_919 + 17) % 2**63,
    "random mask": _OF_TASK,
    "own samples": _OF_TASK,
    "adapters": _OF_TASK,
}
"""Purposes whose seeds are those of version 0.1, so that its runs can be repeated bit for bit."""


def derived_seed(seed: int, task: int, purpose: str) -> int:
    """Derive the seed of one task and one purpose from a run's seed.

    Args:
        seed: the run's seed.
        task: the task's position in the sequence, from 0.
        purpose: what is drawn, in a few words; different purposes draw independently.

    Returns:
        A whole number below 2⁶³, the same on every machine.
    """
    if purpose in _FORMULAS:
        return _FORMULAS[purpose](seed, task)
    digest = sha256(f"{seed}/{task}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def derived_rng(seed: int, task: int, purpose: str, *steps: int) -> np.random.Generator:
    """A NumPy generator for one task and one purpose.

    Args:
        seed: the run's seed.
        task: the task's position in the sequence, from 0.
        purpose: what is drawn, in a few words; different purposes draw independently.
        steps: the optimiser step, or other numbers, where each step draws afresh; a resumed run
            then draws the same.

    Returns:
        A fresh generator, the same on every machine.
    """
    if purpose == "replay":  # version 0.1 seeded it so, and its runs can be repeated
        return np.random.default_rng([seed, task, *steps])
    return np.random.default_rng([derived_seed(seed, task, purpose), *steps])
