"""Frozen units are bit-identical after a task, whatever the optimiser does."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file

from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM, Method, Plan, RandomMask, TaskContext
from fggm_lab.models.units import ENTRY, as_units
from tests.support.families import FAMILIES
from tests.support.small import small_run, small_tasks


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_frozen_units_are_bit_identical(tmp_path: Path, family: str, optimizer: str) -> None:
    run = small_run(
        FGGM(keep=0.3),
        tmp_path / "run",
        family=family,
        optimizer=optimizer,
        weight_decay=0.1,
        clip=0.5,
        tasks=small_tasks(2),
    )
    before = load_file(run.path / "checkpoints" / "00-start" / "model.safetensors")
    for task in (0, 1):
        after = load_file(run.checkpoint(task) / "model.safetensors")  # type: ignore[operator]
        mask, drift = run.mask(task), run.drift(task)
        assert mask is not None and drift is not None
        for name, moving in mask.units.items():
            change = as_units(after[name] - before[name], mask.axes.get(name, 0))
            assert torch.equal(change[~moving], torch.zeros_like(change[~moving])), name
            assert torch.count_nonzero(drift[name][~moving]) == 0, name
            norms = change.norm(dim=1)
            assert torch.allclose(drift[name], norms, atol=1e-6), name
        assert any(bool(drift[name].any()) for name in mask.units)
        before = after


def test_left_out_parameters_train_or_freeze(tmp_path: Path) -> None:
    for others in ("train", "freeze"):
        run = small_run(
            RandomMask(keep=0.5, parameters="linear", others=others),
            tmp_path / others,
            weight_decay=0.1,
            tasks=small_tasks(1),
        )
        drift = run.drift(0)
        assert drift is not None
        assert bool(drift["model.norm.weight"].any()) == (others == "train")
        assert bool(drift["model.embed_tokens.weight"].any()) == (others == "train")


@dataclass(frozen=True)
class Entries(Method):
    """Masks single entries, which no row-wise training can serve."""

    name: ClassVar[str] = "entries"
    paper: ClassVar[str] = "a test"

    def plan(self, context: TaskContext) -> Plan:
        scores = fisher_scores(
            context.model, context.tokenizer, context.encoded, aggregation="none", elementwise=True
        )
        return Plan(Mask.top(scores, 0.3), scores)


def test_masks_of_single_entries_train_densely(tmp_path: Path) -> None:
    run = small_run(Entries(), tmp_path / "run", weight_decay=0.1, tasks=small_tasks(1))
    before = load_file(run.path / "checkpoints" / "00-start" / "model.safetensors")
    after = load_file(run.checkpoint(0) / "model.safetensors")  # type: ignore[operator]
    mask = run.mask(0)
    assert mask is not None and set(mask.axes.values()) == {ENTRY}
    for name, moving in mask.units.items():
        change = (after[name] - before[name]).flatten()
        assert not change[~moving].any() and change[moving].any(), name
