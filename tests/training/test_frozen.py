"""Frozen units are bit-identical after a task, whatever the optimiser does."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM, SFT, Method, Plan, RandomMask, TaskContext
from fggm_lab.models.units import ENTRY, as_units
from fggm_lab.runs import Run
from tests.support.families import FAMILIES
from tests.support.small import small_model, small_run, small_tasks


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


@dataclass(frozen=True)
class FreezesAll(Method):
    """Lets nothing move from the second task on."""

    name: ClassVar[str] = "freezes-all"

    def plan(self, context: TaskContext) -> Plan:
        return Plan() if context.index == 0 else Plan(~Mask.full(context.model))


@dataclass(frozen=True)
class FreezesAllAndLooks(FreezesAll):
    """The same, with a hook for which whole gradients are computed."""

    def on_gradients(self, model: PreTrainedModel) -> None:
        pass


@pytest.mark.parametrize("method", [FreezesAll(), FreezesAllAndLooks()])
def test_a_task_in_which_nothing_may_move_is_a_sentence(method: Method, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="freezes-all freezes every unit in task task-1, so"):
        small_run(method, tmp_path / "run", tasks=small_tasks(2))
    run = Run.open(tmp_path / "run")
    assert run.checkpoint(0) is not None and len(run.events("task")) == 1


def test_a_model_without_a_trainable_parameter_is_a_sentence(tmp_path: Path) -> None:
    model = small_model().requires_grad_(False)
    with pytest.raises(SettingError, match="freezes every unit in task task-0"):
        small_run(SFT(), tmp_path / "run", model=model, tasks=small_tasks(1))
