"""Every random draw of a run comes from its seed, the task and what is drawn."""

import numpy as np
import pytest

from fggm_lab.seeds import derived_rng, derived_seed
from tests.support.small import context, small_model


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        ("data order", 3 * 1_000_003 + 2 * 7_919 + 17),
        ("random mask", 3002),
        ("own samples", 3002),
        ("adapters", 3002),
    ],
)
def test_seeds_of_stored_runs_stay(purpose: str, expected: int) -> None:
    assert derived_seed(3, 2, purpose) == expected


def test_replay_draws_as_in_stored_runs() -> None:
    drawn = derived_rng(3, 2, "replay", 5).permutation(20)
    assert (drawn == np.random.default_rng([3, 2, 5]).permutation(20)).all()
    assert derived_rng(3, 2, "replay").random() == np.random.default_rng([3, 2]).random()


def test_seeds_differ_between_runs_tasks_and_purposes() -> None:
    purposes = ("data order", "noise", "dropout")
    seeds = {derived_seed(s, t, p) for s in range(20) for t in range(20) for p in purposes}
    assert len(seeds) == 1200 and all(0 <= seed < 2**63 for seed in seeds)
    assert derived_seed(0, 0, "noise") == 8555955568791778487


def test_a_method_gets_them_from_its_context() -> None:
    task = context(small_model(), index=2, seed=3)
    assert task.seed_for("random mask") == 3002
    assert task.rng("noise", 4).random() == derived_rng(3, 2, "noise", 4).random()
    assert task.rng("noise", 4).random() != task.rng("noise", 5).random()
