"""In the Trainer only active units are stepped, whatever the optimiser and whoever else writes."""

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from pytorch_optimizer import Lookahead, ScheduleFreeAdamW
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from transformers import AutoModelForCausalLM, PreTrainedModel, TrainerCallback
from transformers.trainer_utils import get_last_checkpoint

from fggm_lab.errors import ModelError, SettingError, TrainingError
from fggm_lab.masks import Mask
from fggm_lab.models.units import (
    COLUMN,
    ENTRY,
    LEADING,
    ROW,
    SECOND,
    TRAILING,
    VECTORS,
    broadcast_units,
    unit_count,
)
from fggm_lab.training import FGGMCallback, MaskedGradients
from fggm_lab.training.callback import _check_trainer
from fggm_lab.training.frozen_units import FrozenUnits
from fggm_lab.training.row_steps import RowSteps
from fggm_lab.training.unit_index import UnitIndex
from tests.support.small import small_model
from tests.training.test_interrupted import BATCH, moved_units, trainer

AXES = {
    ROW: (4, 3, 5), COLUMN: (4, 3, 5), LEADING: (4, 3, 5), TRAILING: (4, 3, 5), SECOND: (4, 3, 5),
    ENTRY: (4, 5), VECTORS: (4, 5),
}  # fmt: skip
OPTIMIZERS: dict[str, Callable[[Iterable[Tensor]], Optimizer]] = {
    "adamw": lambda p: AdamW(p, lr=1e-2, weight_decay=0.1),
    "fused": lambda p: AdamW(p, lr=1e-2, weight_decay=0.1, fused=True),
    "momentum": lambda p: SGD(p, lr=1e-1, momentum=0.9, weight_decay=0.1),
    "lookahead": lambda p: Lookahead(SGD(p, lr=1e-1, momentum=0.9), k=2),
}


@pytest.mark.parametrize("axis", AXES)
def test_units_of_every_layout_are_read_and_written(axis: int) -> None:
    torch.manual_seed(0)
    shape = AXES[axis]
    before, bits = torch.randn(shape), torch.rand(unit_count(shape, axis)) < 0.5
    units = UnitIndex.of(before, bits, axis)
    after = before.clone()
    units.put(after, units.select(before) + 1)
    marked = broadcast_units(bits, shape, axis).expand(shape)
    assert torch.equal(after, torch.where(marked, before + 1, before))
    assert 0 < bits.sum() < len(bits)


def mixed_mask(model: nn.Module) -> Mask:
    """A parameter whole, one not at all, one left out, and rows, columns and entries."""
    mask = Mask.random(model, 0.3, seed=1)
    names = mask.names
    mask.units[names[0]][:] = False
    mask.units[names[1]][:] = True
    for name, axis in ((names[2], COLUMN), (names[3], ENTRY)):
        mask.axes[name] = axis
        mask.units[name] = torch.rand(unit_count(model.get_parameter(name).shape, axis)) < 0.4
    return mask.restricted(names[:-1])


def assert_frozen(before: nn.Module, after: nn.Module, mask: Mask) -> None:
    """Every frozen entry has the bits it had."""
    now = dict(after.named_parameters())
    for name, parameter, frozen in mask.frozen(before):
        entries = frozen.expand_as(parameter)
        assert torch.equal(now[name][entries], parameter[entries]), name


def take_steps(
    model: PreTrainedModel, optimizer: Optimizer, count: int, before: Callable[[], None]
) -> None:
    for _ in range(count):
        model(**BATCH, use_cache=False).loss.backward()
        before()
        optimizer.step()
        model.zero_grad()


@pytest.mark.parametrize(
    ("optimizer", "dense_steps"),
    [*((name, 0) for name in OPTIMIZERS), ("adamw", 2), ("fused", 2), ("momentum", 2)],
)
def test_row_steps_are_those_of_masked_gradients(optimizer: str, dense_steps: int) -> None:
    """From the first step, or going on from the state of whole parameters."""
    rows, dense = small_model(dtype=torch.float64), small_model(dtype=torch.float64)
    mask = mixed_mask(rows)
    by_rows, by_whole = (OPTIMIZERS[optimizer](m.parameters()) for m in (rows, dense))
    for model, steps in ((rows, by_rows), (dense, by_whole)):
        with MaskedGradients(model, mask) as masking:
            take_steps(model, masking.attach(steps), dense_steps, masking.project)
    start = copy.deepcopy(rows)
    stepping = RowSteps(by_rows, rows, mask, lambda: None, lambda: None)
    take_steps(rows, by_rows, 3, lambda: None)
    with MaskedGradients(dense, mask) as masking:
        take_steps(dense, masking.attach(by_whole), 3, masking.project)
    for a, b in zip(rows.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9)
    assert_frozen(start, rows, mask)
    assert moved_units(start, rows, Mask.full(rows)).count > 0
    assert [id(p) for g in by_rows.param_groups for p in g["params"]] == [
        id(p) for p in rows.parameters()
    ]
    stepping.close()
    assert not by_rows._optimizer_step_pre_hooks and not by_rows._optimizer_step_post_hooks


def test_a_scaler_of_half_precision_sees_its_gradients() -> None:
    """It divides the gradients before the step, skips one with infinities, and steps the rest."""
    model, truth = small_model(), small_model()
    mask = Mask.random(model, 0.3)
    optimizer = SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    stepping = RowSteps(optimizer, model, mask, lambda: None, lambda: None)
    for bad in (True, False):
        scaler.scale(model(**BATCH, use_cache=False).loss).backward()
        if bad:
            next(model.parameters()).grad.fill_(torch.inf)
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update(new_scale=8.0)
        model.zero_grad()
    stepping.close()
    with MaskedGradients(truth, mask) as masking:
        steps = masking.attach(SGD(truth.parameters(), lr=0.1))
        take_steps(truth, steps, 1, masking.project)
    for a, b in zip(model.parameters(), truth.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


class Watch(TrainerCallback):
    """Notes down the weights while they are evaluated, and the size of the optimiser's state."""

    def __init__(self) -> None:
        self.evaluated: list[dict[str, Tensor]] = []
        self.state = 0

    def on_prediction_step(self, *_: Any, **kwargs: Any) -> None:
        state = kwargs["model"].state_dict()
        self.evaluated.append({name: tensor.clone() for name, tensor in state.items()})

    def on_step_end(self, *_: Any, **kwargs: Any) -> None:
        entries = [v for s in kwargs["optimizer"].state.values() for v in s.values()]
        self.state = sum(v.numel() for v in entries if isinstance(v, Tensor) and v.ndim)


def trained(
    model: PreTrainedModel,
    out: Path,
    *callbacks: TrainerCallback,
    optimizer: Optimizer | None = None,
) -> None:
    """Two steps, each followed by an evaluation and a checkpoint."""
    saving: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1}
    saving |= {"eval_strategy": "steps", "eval_steps": 1}
    training = trainer(model, out, *callbacks, **saving)
    training.optimizer = optimizer
    training.train()


def checkpoints(out: Path) -> list[PreTrainedModel]:
    return [AutoModelForCausalLM.from_pretrained(out / f"checkpoint-{n}") for n in (1, 2)]


def test_schedule_free_averages_leave_frozen_units_alone(tmp_path: Path) -> None:
    """Its weights are others in evaluation: of the active units, in the checkpoints, too."""
    model, before = small_model(), small_model()
    callback, watch = FGGMCallback(), Watch()
    optimizer = ScheduleFreeAdamW(model.parameters(), lr=1e-2, weight_decay=0.5)
    trained(model, tmp_path, callback, watch, optimizer=optimizer)
    assert callback.mask is not None and len(watch.evaluated) == 2
    for weights in watch.evaluated:
        model.load_state_dict(weights)
        assert_frozen(before, model, callback.mask)
    assert any(
        not torch.equal(watch.evaluated[1][name], saved)
        for name, saved in checkpoints(tmp_path)[0].state_dict().items()
    )
    for saved in checkpoints(tmp_path):
        assert_frozen(before, saved, callback.mask)
        assert moved_units(before, saved, callback.mask) == callback.mask
    assert not {"eval", "train"} & vars(optimizer).keys()


class Averages(TrainerCallback):
    """Weight averaging that writes its average, which rounding makes another number everywhere."""

    def __init__(self, moment: str) -> None:
        setattr(self, moment, self.write)

    @torch.no_grad()
    def write(self, *_: Any, **kwargs: Any) -> None:
        for parameter in kwargs["model"].parameters():
            parameter.mul_(1 + 1e-6)


@pytest.mark.parametrize("moment", ["on_step_begin", "on_evaluate"])
def test_what_others_moved_is_put_back_before_it_is_saved(moment: str, tmp_path: Path) -> None:
    model, before = small_model(), small_model()
    callback = FGGMCallback()
    with pytest.warns(UserWarning, match="moved outside the optimiser's step"):
        trained(model, tmp_path, Averages(moment), callback)
    assert callback.mask is not None
    for saved in (*checkpoints(tmp_path), model):
        assert_frozen(before, saved, callback.mask)


def test_a_checkpoint_that_others_have_spoilt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"saved with frozen units of .* moved"):
        trained(small_model(), tmp_path, FGGMCallback(), Averages("on_evaluate"))


def test_the_optimisers_state_has_the_size_of_the_active_units(tmp_path: Path) -> None:
    model, watch = small_model(), Watch()
    trained(model, tmp_path, FGGMCallback(keep=0.25), watch)
    assert watch.state == pytest.approx(
        2 * 0.25 * sum(p.numel() for p in model.parameters()), rel=0.05
    )


def test_a_state_of_active_units_is_no_plain_optimisers(tmp_path: Path) -> None:
    """A fused one would read past the ends of its tensors. Within the training it is its own."""
    model = small_model()
    trained(model, tmp_path, FGGMCallback())
    plain = trainer(model, tmp_path / "plain", max_steps=9)
    with pytest.raises(KeyError, match="exp_avg"):
        plain.train(resume_from_checkpoint=get_last_checkpoint(str(tmp_path)))
    adamw = AdamW(model.parameters(), lr=1e-2, fused=True)
    steps = RowSteps(adamw, model, Mask.random(model, 0.3), lambda: None, lambda: None)
    for _ in range(2):
        model(**BATCH, use_cache=False).loss.backward()
        adamw.step()
        before = {name: tensor.clone() for name, tensor in first_state(adamw).items()}
        adamw.load_state_dict(copy.deepcopy(adamw.state_dict()))
        assert before.keys() == first_state(adamw).keys()
        assert all(torch.equal(tensor, before[name]) for name, tensor in first_state(adamw).items())
    steps.close()


def first_state(optimizer: Optimizer) -> dict[str, Tensor]:
    """What the optimiser has noted of its first parameter."""
    return dict(optimizer.state[optimizer.param_groups[0]["params"][0]])


def test_two_masks_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="several FGGMCallbacks"):
        trained(small_model(), tmp_path, FGGMCallback(), FGGMCallback(keep=0.6))


def like_trainer(optim: str = "adamw_torch", sharding: str = "") -> Any:
    """What of a Trainer says how it trains."""
    launch = {f"is_{scheme}_enabled": scheme == sharding for scheme in ("fsdp", "deepspeed")}
    return SimpleNamespace(args=SimpleNamespace(optim=optim), **launch)


def test_what_no_mask_can_reach_is_refused(tmp_path: Path) -> None:
    for name in ("galore_adamw_layerwise", "lomo"):
        with pytest.raises(SettingError, match=f"the optimiser {name} takes its step within"):
            _check_trainer(like_trainer(optim=name))
    for scheme in ("fsdp", "deepspeed"):
        with pytest.raises(SettingError, match=f"(?i)cuts the model into shards .{scheme}."):
            _check_trainer(like_trainer(sharding=scheme))
    training = trainer(small_model(), tmp_path, FGGMCallback())
    training.optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    with pytest.raises(SettingError, match=r"SGD does not hold model\.embed_tokens\.weight"):
        training.train()
    with pytest.raises(SettingError, match="in a loop of your own use ActiveRows"):
        FGGMCallback().on_train_begin(*[None] * 3, model=None, optimizer=None)
    model = small_model()
    frozen = FrozenUnits(model, Mask.random(model, 0.3))
    model.resize_token_embeddings(60)
    with pytest.raises(ModelError, match="was replaced while it was trained"):
        frozen.moved()
