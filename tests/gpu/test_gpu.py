"""On a GPU: scores near the truth, the CPU's masks, frozen rows frozen, resume, every method.

`FGGM_LAB_GPU=cpu` runs the same on the CPU, to see that the tests themselves are right.
"""

import os
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM, METHODS, SFT, make_method
from fggm_lab.models.encoding import encode
from fggm_lab.models.units import as_units
from fggm_lab.runs import Run
from tests.support import oracle
from tests.support.families import character_tokenizer, some_examples, tiny_model
from tests.support.resuming import StopAt
from tests.support.small import small_model, small_run, small_tasks

pytestmark = pytest.mark.gpu

FAMILIES = ("llama", "qwen2", "gpt2")
TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(6)
ENCODED = encode(TOKENIZER, EXAMPLES, 64)
SETTINGS = {"self-kl": {"length": 20}}
"""Of methods whose defaults ask for longer examples than the small model has."""


@pytest.fixture(scope="module")
def device() -> torch.device:
    """The GPU, or what the environment names in its place."""
    if named := os.environ.get("FGGM_LAB_GPU"):
        return torch.device(named)
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    return torch.device("cuda")


def truth_of(family: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """Unit scores by autograd in float64 on the CPU, of weights rounded to a type."""
    model = tiny_model(family).to(dtype).double()
    return oracle.unit_sums(model, oracle.diagonal_fisher(model, ENCODED))


@pytest.mark.parametrize("family", FAMILIES)
def test_float32_scores_are_the_truths(device: torch.device, family: str) -> None:
    scores = fisher_scores(tiny_model(family).float().to(device), TOKENIZER, EXAMPLES)
    units = {name: value.cpu() for name, value in scores.units.items()}
    assert oracle.largest_error(units, truth_of(family, torch.float32), 1e-3) <= 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_scores_are_as_near_as_their_backward_pass(
    device: torch.device, family: str
) -> None:
    model = tiny_model(family).bfloat16().to(device)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    plain = oracle.unit_sums(model.cpu(), oracle.diagonal_fisher(model.cpu(), ENCODED))
    for name, true in truth_of(family, torch.bfloat16).items():
        size = true.norm().clamp_min(1e-30)
        off = float((scores.units[name].cpu().double() - true).norm() / size)
        error = float((plain[name].double() - true).norm() / size)
        assert off <= max(0.1, 2 * error), (name, off, error)


@pytest.mark.parametrize("family", FAMILIES)
def test_masks_are_the_cpus(device: torch.device, family: str) -> None:
    masks = [
        Mask.top(fisher_scores(tiny_model(family).float().to(where), TOKENIZER, EXAMPLES), 0.3)
        for where in (torch.device("cpu"), device)
    ]
    chosen = [torch.cat([units.cpu() for units in mask.units.values()]) for mask in masks]
    assert chosen[0].sum() == chosen[1].sum()
    # Two units whose scores are equal to rounding may change places.
    assert (chosen[0] != chosen[1]).float().mean() < 0.01


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("autocast", [False, True])
def test_frozen_rows_are_bit_identical(
    device: torch.device, tmp_path: Path, family: str, autocast: bool
) -> None:
    run = small_run(
        FGGM(keep=0.3), tmp_path / "run", model=small_model(family).to(device),
        tasks=small_tasks(2), weight_decay=0.1, clip=0.5, autocast=autocast,
    )  # fmt: skip
    before = load_file(run.path / "checkpoints" / "00-start" / "model.safetensors")
    for task in (0, 1):
        folder, mask = run.checkpoint(task), run.mask(task)
        assert folder is not None and mask is not None
        after = load_file(folder / "model.safetensors")
        changes = {
            name: as_units(after[name] - before[name], mask.axes.get(name, 0))
            for name in mask.units
        }
        for name, moving in mask.units.items():
            assert not changes[name][~moving].any(), name
        assert any(bool(changes[name].any()) for name in mask.units)
        before = after


def test_a_resumed_run_ends_where_one_that_was_not_stopped_does(
    device: torch.device, tmp_path: Path
) -> None:
    def run(name: str, **more: object) -> Run:
        model = small_model().to(device)
        return small_run(
            SFT(), tmp_path / name, model=model, points_per_task=0, general=None, **more
        )

    uninterrupted = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("parts", listener=StopAt("step", 9))
    resumed = run("parts", resume=True)
    assert resumed.finished
    for task in range(3):
        first, second = (r.checkpoint(task) for r in (uninterrupted, resumed))
        assert first is not None and second is not None
        weights = load_file(first / "model.safetensors")
        for name, weight in load_file(second / "model.safetensors").items():
            assert torch.allclose(weight, weights[name], rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains(device: torch.device, tmp_path: Path, name: str) -> None:
    method = make_method(name, **SETTINGS.get(name, {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = small_run(
            method, tmp_path / "run", model=small_model().to(device),
            tasks=small_tasks(2), epochs=1, points_per_task=0, general=None,
        )  # fmt: skip
    assert run.finished
    losses = [event["loss"] for event in run.events("step")]
    assert all(loss == loss for loss in losses)
