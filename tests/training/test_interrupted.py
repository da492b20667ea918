"""Nothing of a training under a mask outlives it, however it ends."""

import copy
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import ref

import pytest
import torch
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from fggm_lab.errors import TrainingError
from fggm_lab.masks import Mask
from fggm_lab.methods import FGGM
from fggm_lab.models.encoding import collate, encode
from fggm_lab.models.units import as_units
from fggm_lab.training import ActiveRows, FGGMCallback, MaskedGradients, SelfKLCallback
from tests.support.families import character_tokenizer, some_examples
from tests.support.small import small_model, small_run, small_tasks

TOKENIZER = character_tokenizer()
BATCH = collate(encode(TOKENIZER, some_examples(6), 64), pad=0)
ROWS = [{name: tensor[i].tolist() for name, tensor in BATCH.items()} for i in range(6)]
SHORT: dict[str, Any] = {
    "tasks": small_tasks(1),
    "general": None,
    "epochs": 1,
    "points_per_task": 0,
}
EARLIER = "earlier training of this LlamaForCausalLM under a mask was interrupted"


class Interrupt(TrainerCallback):
    """The stop button, in the middle of a step: gradients are there, nothing has moved yet."""

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        raise KeyboardInterrupt


class InterruptedStep(TrainerCallback):
    """The stop button inside the optimiser's third step."""

    def __init__(self) -> None:
        self.steps = 0

    def on_train_begin(self, *_: Any, **kwargs: Any) -> None:
        kwargs["optimizer"].optimizer.register_step_pre_hook(self.step)

    def step(self, *_: Any) -> None:
        self.steps += 1
        if self.steps == 3:
            raise KeyboardInterrupt


class OutOfMemory(TrainerCallback):
    """Runs out of memory once, after two steps."""

    def __init__(self) -> None:
        self.batch_sizes: list[int] = []

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.batch_sizes.append(state.train_batch_size)
        if len(self.batch_sizes) == 3:
            raise RuntimeError("CUDA out of memory.")


def trainer(model: PreTrainedModel, out: Path, *callbacks: TrainerCallback, **more: Any) -> Trainer:
    """Two steps of plain AdamW with weight decay on the CPU."""
    arguments = TrainingArguments(
        str(out),
        weight_decay=0.1,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        **{
            "learning_rate": 1e-2,
            "per_device_train_batch_size": 6,
            "max_steps": 2,
            "save_strategy": "no",
            **more,
        },
    )
    return Trainer(
        model,
        arguments,
        train_dataset=ROWS,
        eval_dataset=ROWS,
        processing_class=TOKENIZER,
        callbacks=[*callbacks],
    )


def moved_units(before: PreTrainedModel, after: PreTrainedModel, mask: Mask) -> Mask:
    """The units of which any entry is another now."""
    now = dict(after.named_parameters())
    bits = {
        name: as_units((now[name] != p).float(), mask.axes[name]).any(1)
        for name, p in before.named_parameters()
    }
    return Mask(bits, mask.axes, mask.info)


def assert_equal(left: PreTrainedModel, right: PreTrainedModel) -> None:
    """Bit for bit the same weights."""
    for a, b in zip(left.parameters(), right.parameters(), strict=True):
        assert torch.equal(a, b)


def interrupted(model: PreTrainedModel, out: Path, callback: TrainerCallback) -> Trainer:
    """A Trainer that was stopped in its first step; somebody still holds it."""
    training = trainer(model, out, callback, Interrupt())
    with pytest.raises(KeyboardInterrupt):
        training.train()
    return training


@pytest.mark.parametrize(
    "callback", [FGGMCallback(), SelfKLCallback(start_samples=2, per_step=2, length=4)]
)
def test_plain_training_after_an_interruption_is_plain(
    callback: TrainerCallback, tmp_path: Path
) -> None:
    model, twin = small_model(), small_model()
    stopped = interrupted(model, tmp_path, callback)
    assert_equal(model, twin)
    for trained in (model, twin):
        trainer(trained, tmp_path).train()
    assert_equal(model, twin)
    assert stopped.model is model


def test_the_next_mask_is_its_own(tmp_path: Path) -> None:
    """Another callback in the same Trainer: not the intersection of both masks, and said."""
    model = small_model()
    training = interrupted(model, tmp_path, FGGMCallback(keep=0.3))
    training.remove_callback(FGGMCallback)
    training.remove_callback(Interrupt)
    callback = FGGMCallback(keep=0.8)
    training.add_callback(callback)
    before = copy.deepcopy(model)
    with pytest.warns(UserWarning, match=EARLIER):
        training.train()
    assert callback.mask is not None
    assert moved_units(before, model, callback.mask) == callback.mask


def test_a_callback_that_was_removed_masks_nothing_unseen(tmp_path: Path) -> None:
    model = small_model()
    training = interrupted(model, tmp_path, FGGMCallback())
    training.remove_callback(FGGMCallback)
    training.remove_callback(Interrupt)
    before = copy.deepcopy(model)
    with pytest.raises(TrainingError, match="steps without the callback"):
        training.train()
    training.train()
    assert moved_units(before, model, Mask.full(model)) == Mask.full(model)


def test_a_smaller_batch_goes_on_under_the_same_mask(tmp_path: Path) -> None:
    """Two steps were taken when memory ran out; the mask of the moved weights is another."""
    model, memory, callback = small_model(), OutOfMemory(), FGGMCallback()
    before = copy.deepcopy(model)
    with pytest.warns(UserWarning, match=EARLIER):
        trainer(
            model, tmp_path, callback, memory,
            auto_find_batch_size=True, per_device_train_batch_size=2, max_steps=4,
        ).train()  # fmt: skip
    assert memory.batch_sizes == [2, 2, 2, 1, 1, 1, 1]
    assert callback.mask is not None
    assert moved_units(before, model, callback.mask) == callback.mask


def test_a_training_resumed_after_an_interruption_is_the_uninterrupted_one(tmp_path: Path) -> None:
    """In the same Trainer, whose optimiser was stopped inside its step."""
    saving: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1, "max_steps": 3}
    uninterrupted, model = small_model(), small_model()
    trainer(uninterrupted, tmp_path / "whole", FGGMCallback(), **saving).train()
    training = trainer(model, tmp_path / "parts", FGGMCallback(), **saving)
    stop = InterruptedStep()
    training.add_callback(stop)
    with pytest.raises(KeyboardInterrupt):
        training.train()
    with pytest.warns(UserWarning, match=EARLIER):
        training.train(resume_from_checkpoint=True)
    assert_equal(uninterrupted, model)


@pytest.mark.parametrize(
    ("masking", "start"),
    [
        (MaskedGradients, "rows"),
        *((ActiveRows, start) for start in ("run", "trainer", "self-kl")),
    ],
)
def test_every_start_closes_what_was_left_open(
    masking: Callable[..., Any], start: str, tmp_path: Path
) -> None:
    model, twin = small_model(), small_model()
    left = masking(model, Mask.random(model, 0.1))
    left.attach(torch.optim.AdamW(model.parameters()))
    starts: dict[str, Callable[[PreTrainedModel], Any]] = {
        "rows": lambda m: ActiveRows(m, Mask.random(m, 0.5)).close(),
        "run": lambda m: small_run(FGGM(), tmp_path / str(id(m)), model=m, in_place=True, **SHORT),
        "trainer": lambda m: trainer(m, tmp_path, FGGMCallback()).train(),
        "self-kl": lambda m: trainer(
            m, tmp_path, SelfKLCallback(start_samples=2, per_step=2, length=4)
        ).train(),
    }
    with pytest.warns(UserWarning, match=EARLIER):
        starts[start](model)
    starts[start](twin)
    assert_equal(model, twin)


def test_an_open_masking_keeps_no_model_alive(tmp_path: Path) -> None:
    models = [small_model(), small_model()]
    interrupted(models[0], tmp_path, FGGMCallback())
    ActiveRows(models[1], Mask.random(models[1], 0.3))
    alive = [ref(model) for model in models]
    del models
    gc.collect()
    assert [model() for model in alive] == [None, None]


def test_rows_that_nobody_holds_close_themselves() -> None:
    model, twin = small_model(), small_model()
    mask = Mask.random(model, 0.3)
    mask.units[mask.names[0]][:] = False
    ActiveRows(model, mask)
    gc.collect()
    for trained in (model, twin):
        trained(**BATCH, use_cache=False).loss.backward()
    for a, b in zip(model.parameters(), twin.parameters(), strict=True):
        assert a.grad is not None and torch.equal(a.grad, b.grad)
