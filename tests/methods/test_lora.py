"""LoRA trains adapters alone, and what it leaves behind is the plain model with them added."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from fggm_lab.errors import SettingError
from fggm_lab.methods import SFT, LoRA
from fggm_lab.methods.lora import factors
from fggm_lab.models.encoding import collate
from fggm_lab.training.checkpoints import saved_model
from tests.support.families import ALL_FAMILIES, FAMILIES
from tests.support.small import context, small_model, small_run


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def logits(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        logits: Tensor = model.eval()(**batch, use_cache=False).logits
    return logits


@torch.no_grad()
def shake(model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Give every B values, as training does; returns copies of all A and B."""
    for _, b in factors(model).values():
        b.normal_(generator=torch.Generator().manual_seed(1))
    return {name: (a.clone(), b.clone()) for name, (a, b) in factors(model).items()}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ALL_FAMILIES)
def test_merged_is_adapted_and_everything_else_as_before(family: str, tied: bool) -> None:
    model = small_model(family, tied=tied)
    task_context = context(model)
    batch = collate(task_context.encoded, 0)
    list(model.parameters())[1].requires_grad_(False)
    before = weights(model)
    kinds = {name: type(module) for name, module in model.named_modules()}
    trains = {name: p.requires_grad for name, p in model.named_parameters()}
    names = set(model.state_dict())
    plain = logits(model, batch)
    with LoRA(rank=2, alpha=6).adapted(task_context):
        assert torch.equal(logits(model, batch), plain)  # B is zero
        trained = [name for name, p in model.named_parameters() if p.requires_grad]
        assert trained and all(".lora_A." in n or ".lora_B." in n for n in trained)
        moved = shake(model)
        adapted = logits(model, batch)
    assert (adapted - plain).abs().max() > 1e-2
    torch.testing.assert_close(logits(model, batch), adapted, rtol=1e-3, atol=1e-3)
    after = weights(model)
    for name, weight in before.items():
        layer = name.removesuffix(".weight")
        if layer in moved:
            a, b = moved[layer]
            delta = 6 / 2 * b @ a
            transposed = kinds[layer] is Conv1D
            torch.testing.assert_close(after[name], weight + (delta.T if transposed else delta))
        else:
            assert torch.equal(after[name], weight), name
    assert {name: type(module) for name, module in model.named_modules()} == kinds
    assert {name: p.requires_grad for name, p in model.named_parameters()} == trains
    assert set(model.state_dict()) == names
    assert not any("peft" in attribute for attribute in vars(model))


@pytest.mark.parametrize("family", FAMILIES)
def test_all_linear_layers_but_the_head_are_adapted(family: str) -> None:
    model = small_model(family, tied=False)
    linear = {n for n, m in model.named_modules() if isinstance(m, nn.Linear | Conv1D)}
    with LoRA().adapted(context(model)):
        assert set(factors(model)) == linear - {"lm_head"}


def test_modules_are_chosen_by_the_end_of_their_names() -> None:
    model = small_model()
    with LoRA(modules=["q_proj", "mlp.up_proj"]).adapted(context(model)):
        assert {name.rpartition(".")[2] for name in factors(model)} == {"q_proj", "up_proj"}
        assert len(factors(model)) == 4
    with (
        pytest.raises(SettingError, match=r"'q_prj', which no .* ends in; .*mean 'q_proj'\?$"),
        LoRA(modules=["v_proj", "q_prj"]).adapted(context(model)),
    ):
        pass
    assert not factors(model)


def test_an_error_inside_leaves_a_plain_model_too() -> None:
    model = small_model()
    kinds = [type(module) for module in model.modules()]
    with pytest.raises(KeyboardInterrupt), LoRA().adapted(context(model)):
        raise KeyboardInterrupt
    assert [type(module) for module in model.modules()] == kinds
    assert all(p.requires_grad for p in model.parameters())


def test_adapters_are_drawn_from_seed_and_task_and_nothing_else() -> None:
    def drawn(seed: int, index: int, chance: int = 5) -> dict[str, tuple[Tensor, Tensor]]:
        task_context = context(small_model(), index, seed)
        torch.manual_seed(chance)
        state = torch.get_rng_state()
        with LoRA(rank=3).adapted(task_context):
            assert torch.equal(torch.get_rng_state(), state)
            return {
                n: (a.detach().clone(), b.clone())
                for n, (a, b) in factors(task_context.model).items()
            }

    first = drawn(0, 1)
    same, *others = drawn(0, 1, chance=6), drawn(1, 1), drawn(0, 2)
    for name, (a, b) in first.items():
        assert a.shape[0] == b.shape[1] == 3
        assert not b.any()
        assert 0.5 < float(a.abs().max()) * a.shape[1] ** 0.5 <= 1  # uniform from ±1/√in
        assert torch.equal(same[name][0], a)
        assert all(not torch.equal(other[name][0], a) for other in others)


def test_the_model_as_the_task_began_has_the_same_adapters() -> None:
    model = small_model()
    plain = small_model()
    task_context = context(model)
    object.__setattr__(task_context, "before", lambda: plain)
    method = LoRA()
    with method.adapted(task_context):
        begun = method.begun(task_context)
        assert begun is plain
        assert all(torch.equal(p, weights(begun)[name]) for name, p in model.named_parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_task_moves_every_adapted_weight_by_the_rank_at_most(tmp_path: Path, family: str) -> None:
    run = small_run(LoRA(rank=2, lr_scale=1), tmp_path / "run", family=family)
    like = small_model(family)
    folders = [
        run.path / "checkpoints" / "00-start",
        *(run.file("checkpoints", i) for i in range(3)),
    ]
    states = [weights(saved_model(folder, like)) for folder in folders]
    for before, after in pairwise(states):
        full = 0
        for name, weight in before.items():
            delta = after[name] - weight
            adapted = weight.ndim == 2 and not any(
                k in name for k in ("embed", "wte", "wpe", "head")
            )
            if not adapted:
                assert not delta.any(), name
                continue
            values = torch.linalg.svdvals(delta.double())
            noise = 1e-6 * float(weight.abs().max()) * max(weight.shape)
            assert float(values[2]) < noise, name
            full += float(values[1]) > 10 * noise
        assert full  # the rank is used


def test_adapters_learn_at_their_own_rate(tmp_path: Path) -> None:
    rates = [
        [event["lr"] for event in small_run(method, tmp_path / name).events("step")]
        for name, method in (("sft", SFT()), ("lora", LoRA(lr_scale=4)))
    ]
    assert rates[1] == pytest.approx([4 * rate for rate in rates[0]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_model_settings_train_adapters_too(tmp_path: Path, dtype: torch.dtype) -> None:
    run = small_run(
        LoRA(rank=2, lr_scale=1), tmp_path / "run", model=small_model(dtype=dtype),
        recompute=True, autocast=True, micro_batch=2,
    )  # fmt: skip
    moved = run.drift(2)
    assert moved is not None and all(
        bool(units.any()) == ("proj" in name) for name, units in moved.items()
    )


def test_bad_settings_are_one_sentence() -> None:
    for name, values in {
        "rank": (0, 2.5, True), "alpha": (0, -1, float("nan")), "lr_scale": (0, "fast"),
        "dropout": (1, -0.1), "modules": ("q_proj", [], [1], None),
    }.items():  # fmt: skip
        for value in values:
            with pytest.raises(SettingError, match=name):
                LoRA(**{name: value})  # type: ignore[arg-type]
