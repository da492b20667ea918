"""What loops do to a model before and inside a masked training is right, or refused."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW
from transformers import PreTrainedModel

import fggm_lab as lab
from fggm_lab.errors import ModelError, SettingError
from fggm_lab.masks import Mask
from fggm_lab.methods import make_method
from fggm_lab.training import ActiveRows, MaskedGradients
from tests.support.families import character_tokenizer
from tests.support.small import small_general, small_model, small_tasks

MASKINGS = pytest.mark.parametrize("masking", [ActiveRows, MaskedGradients])
IDS = torch.arange(1, 21).reshape(2, 10)


def loss(model: PreTrainedModel) -> Tensor:
    value: Tensor = model(input_ids=IDS, labels=IDS).loss
    return value


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def frozen_whole(model: nn.Module) -> tuple[Mask, str]:
    """A mask that freezes a parameter as a whole, and that parameter's name."""
    mask = Mask.random(model, 0.3)
    name = next(name for name in mask.units if "q_proj" in name)
    units = {**mask.units, name: torch.zeros_like(mask.units[name])}
    return Mask(units, dict(mask.axes), mask.info), name


@pytest.mark.parametrize("clear", [True, False])
def test_a_gradient_from_before_is_cleared_or_counts_as_in_dense_training(clear: bool) -> None:
    ends = []
    for masking in (ActiveRows, MaskedGradients):
        model = small_model()
        (100 * loss(model)).backward()
        with masking(model, frozen_whole(model)[0]) as rows:
            optimizer = rows.attach(SGD(model.parameters(), lr=0.1))
            if clear:
                optimizer.zero_grad()
            loss(model).backward()
            rows.project()
            torch.nn.utils.clip_grad_norm_(rows.parameters(), 1.0)
            optimizer.step()
        ends.append(weights(model))
    for name, dense in ends[1].items():
        torch.testing.assert_close(ends[0][name], dense, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", ["sft", "fggm", "migu"])
def test_a_run_in_place_does_not_learn_from_a_gradient_of_its_callers(
    method: str, tmp_path: Path
) -> None:
    losses = []
    for name in ("clean", "stale"):
        model = small_model()
        if name == "stale":
            (100 * loss(model)).backward()
        settings = {} if method == "sft" else {"first_task": True}
        run = lab.run_sequence(
            model, character_tokenizer(), small_tasks(1), make_method(method, **settings),
            tmp_path / name, general=small_general(), epochs=1, batch_size=4, points_per_task=0,
            in_place=True,
        )  # fmt: skip
        losses.append([event["loss"] for event in run.events("step")])
    assert losses[0] == losses[1]


@MASKINGS
@pytest.mark.parametrize("fresh", [True, False])
def test_parameters_in_the_place_of_masked_ones_are_refused(masking: Any, fresh: bool) -> None:
    model = small_model()
    others = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with masking(model, Mask.random(model, 0.3)) as rows:
        optimizer = rows.attach(AdamW(model.parameters(), lr=1e-3))
        model.load_state_dict(others, assign=True)
        if fresh:
            optimizer = rows.attach(AdamW(model.parameters(), lr=1e-3))
        before = weights(model)
        loss(model).backward()
        with pytest.raises(ModelError, match="was replaced while it was trained under a mask"):
            optimizer.step()
        assert all(torch.equal(before[name], now) for name, now in weights(model).items())


def test_a_parameter_that_is_thawed_inside_is_refused() -> None:
    model = small_model()
    name = "model.layers.0.mlp.up_proj.weight"
    weight = model.get_parameter(name).requires_grad_(False)
    with ActiveRows(model, Mask.random(model, 0.3)) as rows:
        weight.requires_grad_(True)
        optimizer = rows.attach(AdamW(model.parameters(), lr=1e-3))
        loss(model).backward()
        with pytest.raises(SettingError, match=f"{name} did not require a gradient when"):
            optimizer.step()


def test_gradients_taken_of_the_models_parameters_are_refused() -> None:
    model = small_model()
    with ActiveRows(model, Mask.random(model, 0.3)) as rows:
        optimizer = rows.attach(SGD(model.parameters(), lr=0.1))
        parameters = list(model.parameters())
        gradients = torch.autograd.grad(loss(model), parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        with pytest.raises(SettingError, match="no layer's active units have a gradient"):
            optimizer.step()


def test_an_optimiser_that_was_not_attached_moves_no_frozen_unit() -> None:
    model = small_model()
    before = weights(model)
    masking = MaskedGradients(model, Mask.random(model, 0.3))
    optimizer = AdamW(model.parameters(), lr=1e-3)
    loss(model).backward()
    masking.project()
    with pytest.raises(SettingError, match=r"attach it \(masking\.attach\(optimizer\)\)"):
        optimizer.step()
    assert all(torch.equal(before[name], now) for name, now in weights(model).items())
    del masking  # nobody holds it, so that it closes itself
    optimizer.step()


def test_a_deep_copy_made_between_steps_is_a_plain_model() -> None:
    model = small_model()
    mask, name = frozen_whole(model)
    with ActiveRows(model, mask) as rows:
        optimizer = rows.attach(AdamW(model.parameters(), lr=1e-3))
        loss(model).backward()
        optimizer.step()
        best = copy.deepcopy(model)
    before = weights(best)
    assert not getattr(best, "_ddp_params_and_buffers_to_ignore", [])
    with ActiveRows(best, Mask.full(best)) as rows:
        optimizer = rows.attach(AdamW(best.parameters(), lr=1e-3))
        loss(best).backward()
        optimizer.step()
    assert not torch.equal(before[name], best.get_parameter(name))
    assert model.get_parameter(name).requires_grad
    assert "__deepcopy__" not in model.get_parameter(name).__dict__
