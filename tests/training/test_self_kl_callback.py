"""SelfKLCallback adds the divergence's gradient to a Trainer's step, from training to training."""

import copy
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments

from fggm_lab.errors import DataError, LabError, ModelError, SettingError
from fggm_lab.methods.reference_texts import stored_texts, taken_openings
from fggm_lab.models.encoding import collate, encode
from fggm_lab.training import FGGMCallback, SelfKLCallback
from fggm_lab.training.text_memory import TEXTS_FILE, TextMemory
from tests.support.families import character_tokenizer, some_examples
from tests.support.small import context, jolt, small_model

TOKENIZER, EXAMPLES = character_tokenizer(), encode(character_tokenizer(), some_examples(6), 64)
BATCH = collate(EXAMPLES, pad=0)
ROWS = [{name: tensor[i].tolist() for name, tensor in BATCH.items()} for i in range(6)]
SMALL: dict[str, Any] = {"start_samples": 6, "task_samples": 4, "per_step": 4, "length": 8}
SAVING = {"save_strategy": "steps", "save_steps": 2}


def trainer(
    model: PreTrainedModel, out: Path, *callbacks: TrainerCallback, **settings: Any
) -> Trainer:
    """Training on the CPU without logs, steps of six rows."""
    arguments = TrainingArguments(
        output_dir=str(out),
        learning_rate=1e-2,
        lr_scheduler_type="constant",
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        **{
            "per_device_train_batch_size": 6,
            "max_steps": 3,
            "save_strategy": "no",
            **settings,
        },
    )
    return Trainer(
        model, arguments, train_dataset=ROWS, processing_class=TOKENIZER, callbacks=[*callbacks]
    )


class Recorder(TrainerCallback):
    """Copies the gradients of a step, after clipping."""

    def __init__(self) -> None:
        self.gradients: dict[str, Tensor] = {}

    def on_pre_optimizer_step(self, *_: Any, **kwargs: Any) -> None:
        named = kwargs["model"].named_parameters()
        self.gradients = {name: p.grad.clone() for name, p in named}


class Jolt(TrainerCallback):
    """Moves the model between the drawing of the texts and the first step."""

    def on_train_begin(self, *_: Any, **kwargs: Any) -> None:
        jolt(context(kwargs["model"]), seed=0)


def divergence_of(before: PreTrainedModel, now: PreTrainedModel, ids: tuple[int, ...]) -> Tensor:
    """Over the whole vocabulary, text by text, without padding."""
    p, q = (
        Categorical(logits=m(torch.tensor([ids])).logits[0, :-1].float()) for m in (before, now)
    )
    return kl_divergence(p, q).sum()


@pytest.mark.parametrize(
    ("dtype", "settings"),
    [
        (torch.float32, {}),
        (
            torch.float32,
            {
                "gradient_accumulation_steps": 3,
                "per_device_train_batch_size": 2,
                "gradient_checkpointing": True,
            },
        ),
        (torch.bfloat16, {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 3}),
    ],
)
def test_a_step_is_the_datas_gradient_and_the_divergences_clipped_together(
    tmp_path: Path, dtype: torch.dtype, settings: dict[str, Any]
) -> None:
    model = small_model(dtype=dtype)
    before = copy.deepcopy(model)
    callback = SelfKLCallback(weight=3.0, top=10_000, **{**SMALL, "per_step": 6})
    recorder = Recorder()
    trainer(model, tmp_path, callback, Jolt(), recorder, max_steps=1, **settings).train()
    texts = [t.ids for t in stored_texts(TextMemory.load(tmp_path).memory)[0]]
    now = small_model(dtype=dtype)
    jolt(context(now), seed=0)
    # All six texts are rehearsed in the step, and all six rows are learned from.
    tokens = sum(len(ids) - 1 for ids in texts)
    pulled = 3.0 * torch.stack([divergence_of(before, now, ids) for ids in texts]).sum() / tokens
    (now(**BATCH, use_cache=False).loss + pulled).backward()
    assert torch.nn.utils.clip_grad_norm_(now.parameters(), 1.0) > 1.0
    alone = small_model(dtype=dtype)
    jolt(context(alone), seed=0)
    alone(**BATCH, use_cache=False).loss.backward()
    torch.nn.utils.clip_grad_norm_(alone.parameters(), 1.0)
    right = torch.cat([p.grad.float().flatten() for p in now.parameters()])
    without = torch.cat([p.grad.float().flatten() for p in alone.parameters()])
    mine = torch.cat([recorder.gradients[n].float().flatten() for n, _ in now.named_parameters()])
    tolerance = 1e-4 if dtype == torch.float32 else 0.03
    assert (mine - right).norm() < tolerance * right.norm()
    assert (without - right).norm() > 0.1 * right.norm()


def test_a_sequence_of_trainings_goes_on_with_the_same_texts(tmp_path: Path) -> None:
    model, in_another_process = small_model(), small_model()
    callback = SelfKLCallback(**SMALL)
    trainer(model, tmp_path / "one", callback, max_steps=2).train()
    in_another_process.load_state_dict(model.state_dict())
    trainer(model, tmp_path / "two", callback, max_steps=2).train()
    first, second = (TextMemory.load(tmp_path / task) for task in ("one", "two"))
    before, after = stored_texts(first.memory), stored_texts(second.memory)
    assert {task: len(texts) for task, texts in after.items()} == {0: 6, 1: 4}
    assert [t.ids for t in after[0]] == [t.ids for t in before[0]]
    assert all(
        torch.equal(a.log_probabilities, b.log_probabilities)
        for a, b in zip(after[0], before[0], strict=True)
    )
    beginnings = {example.prompt[:4] for example in EXAMPLES}
    assert {t.ids[:4] for t in after[1]} <= beginnings
    assert set(taken_openings(second.memory)) <= beginnings
    taken_up = SelfKLCallback(memory=tmp_path / "one", **SMALL)
    trainer(in_another_process, tmp_path / "other", taken_up, max_steps=2).train()
    for a, b in zip(model.parameters(), in_another_process.parameters(), strict=True):
        assert torch.equal(a, b)
    files = [(tmp_path / out / TEXTS_FILE).read_bytes() for out in ("two", "other")]
    assert files[0] == files[1]


def test_a_resumed_training_goes_on_with_its_texts(tmp_path: Path) -> None:
    uninterrupted = small_model()
    trainer(uninterrupted, tmp_path / "whole", SelfKLCallback(**SMALL)).train()
    trainer(
        small_model(), tmp_path / "half", SelfKLCallback(**SMALL), max_steps=2, **SAVING
    ).train()
    resumed = small_model()
    training = trainer(resumed, tmp_path / "half", SelfKLCallback(**SMALL), **SAVING)
    training.train(resume_from_checkpoint=True)
    for a, b in zip(uninterrupted.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    files = [(tmp_path / out / TEXTS_FILE).read_bytes() for out in ("whole", "half")]
    assert files[0] == files[1]
    # Elsewhere, the checkpoint's texts must be named.
    moved = shutil.move(tmp_path / "half" / "checkpoint-2", tmp_path / "moved")
    with pytest.raises(DataError, match=r"give SelfKLCallback\(memory=…\) the folder of the check"):
        trainer(small_model(), tmp_path / "new", SelfKLCallback(**SMALL)).train(
            resume_from_checkpoint=moved
        )
    again = small_model()
    trainer(again, tmp_path / "new", SelfKLCallback(memory=moved, **SMALL)).train(
        resume_from_checkpoint=moved
    )
    for a, b in zip(resumed.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(SettingError, match=r"begun with weight=1\.0.* asks for weight=2\.0"):
        trainer(small_model(), tmp_path / "new", SelfKLCallback(weight=2.0, **SMALL)).train(
            resume_from_checkpoint=moved
        )


class Interruption(TrainerCallback):
    """Stops a training as Ctrl+C does."""

    def on_step_end(self, *_: Any, **__: Any) -> None:
        raise KeyboardInterrupt


def test_an_interrupted_training_is_none(tmp_path: Path) -> None:
    model, callback = small_model(), SelfKLCallback(**SMALL)
    with pytest.raises(KeyboardInterrupt):
        trainer(model, tmp_path, callback, Interruption()).train()
    assert not any(p._post_accumulate_grad_hooks for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    fresh, same = small_model(), small_model()
    trainer(fresh, tmp_path / "fresh", SelfKLCallback(**SMALL), max_steps=1).train()
    trainer(same, tmp_path / "again", callback, max_steps=1).train()
    for a, b in zip(fresh.parameters(), same.parameters(), strict=True):
        assert torch.equal(a, b)


def test_beside_a_mask_frozen_units_stay(tmp_path: Path) -> None:
    start, model, masked_alone = small_model(), small_model(), small_model()
    masking, holding = FGGMCallback(keep=0.3), SelfKLCallback(weight=50.0, **SMALL)
    trainer(model, tmp_path, holding, masking, max_steps=2).train()
    trainer(masked_alone, tmp_path / "mask", FGGMCallback(keep=0.3), max_steps=2).train()
    after, alone = dict(model.named_parameters()), dict(masked_alone.named_parameters())
    assert masking.mask is not None
    for name, parameter, frozen in masking.mask.frozen(start):
        still = frozen.expand_as(parameter)
        assert torch.equal(after[name][still], parameter[still])
    assert any(not torch.equal(after[name], alone[name]) for name in after)


def test_an_adapter_of_peft_is_held_to_the_model_without_it(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(target_modules=["q_proj", "v_proj"], r=2, init_lora_weights=True)
    model = peft.get_peft_model(small_model(), config)
    trainer(model, tmp_path, SelfKLCallback(**SMALL), max_steps=1).train()
    drawn = stored_texts(TextMemory.load(tmp_path).memory)[0]
    plain = SelfKLCallback(**SMALL)
    trainer(small_model(), tmp_path / "plain", plain, max_steps=1).train()
    expected = stored_texts(TextMemory.load(tmp_path / "plain").memory)[0]
    assert [t.ids for t in drawn] == [t.ids for t in expected]


def trainer_arguments(**settings: Any) -> dict[str, Any]:
    """What a Trainer tells a callback at the beginning."""
    optimizer = SimpleNamespace(
        accelerator_state=SimpleNamespace(
            distributed_type=SimpleNamespace(value=settings.pop("spread", "NO"))
        ),
        scaler=settings.pop("scaler", None),
    )
    return {"model": None, "processing_class": TOKENIZER, "optimizer": optimizer, **settings}


@pytest.mark.parametrize(
    ("optim", "arguments", "says"),
    [
        ("adamw_torch", {"spread": "DEEPSPEED"}, "is spread .DEEPSPEED.; train in one process"),
        ("adamw_torch", {"scaler": object()}, "scales its loss for fp16"),
        ("galore_adamw_layerwise", {}, "galore_adamw_layerwise takes its step within"),
        ("adamw_torch", {"processing_class": None}, "pass processing_class=tokenizer"),
    ],
)
def test_a_trainer_that_leaves_no_room_for_the_gradient_is_refused(
    tmp_path: Path, optim: str, arguments: dict[str, Any], says: str
) -> None:
    training = trainer(small_model(), tmp_path, optim=optim)
    with pytest.raises(SettingError, match=says):
        SelfKLCallback(**SMALL).on_train_begin(
            training.args, training.state, training.control, **trainer_arguments(**arguments)
        )


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda _: SelfKLCallback(prompts=0.1), SettingError, "no setting 'prompts'; label"),
        (lambda _: SelfKLCallback(wieght=1), SettingError, "did you mean 'weight'"),
        (lambda _: SelfKLCallback(per_step=0), SettingError, "per_step"),
        (lambda out: SelfKLCallback(memory=out), DataError, "does not exist; give the output"),
    ],
)
def test_settings_that_never_work_are_refused_at_once(
    tmp_path: Path, make: Any, error: type[LabError], says: str
) -> None:
    with pytest.raises(error, match=says):
        make(tmp_path)


def test_texts_that_cannot_be_taken_up_are_refused(tmp_path: Path) -> None:
    trainer(small_model(), tmp_path, SelfKLCallback(**SMALL), max_steps=1).train()
    other = small_model(vocabulary=60)
    with pytest.raises(ModelError, match=r"drawn by a model with .* this one has 60"):
        trainer(other, tmp_path / "b", SelfKLCallback(memory=tmp_path, **SMALL)).train()
    (tmp_path / TEXTS_FILE).write_bytes(b"broken")
    with pytest.raises(DataError, match="is damaged, or holds no texts"):
        SelfKLCallback(memory=tmp_path)
