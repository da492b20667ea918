"""Frozen units are bit-identical after a task, whatever the optimiser does."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from fggm_lab.fisher.units import as_units
from fggm_lab.methods import FGGM, RandomMask
from tests.families import FAMILIES
from tests.training.small import small_run, small_tasks


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
