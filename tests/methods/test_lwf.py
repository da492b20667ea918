"""LwF adds the divergence from the model before the task, at the answer's positions only."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.methods import LwF
from fggm_lab.models.encoding import collate
from tests.support.resuming import assert_resumes
from tests.support.small import context, jolt, small_model


def test_the_loss_is_the_divergence_worked_out_token_by_token() -> None:
    model, teacher = small_model(dtype=torch.float64), small_model(dtype=torch.float64)
    task_context = replace(context(model), before=lambda: teacher)
    jolt(task_context, seed=0)
    examples = task_context.encoded[:3]
    batch = collate(examples, 0)
    method = LwF(weight=0.7, temperature=3.0)
    method.start(task_context)
    loss = method.extra_loss(batch, model(**batch).logits)
    method.finish()
    total, count = 0.0, 0
    for item in examples:  # one by one, without padding
        ids = torch.tensor([item.prompt + item.answer])
        with torch.no_grad():
            now, before = model(input_ids=ids).logits[0], teacher(input_ids=ids).logits[0]
        for position in range(len(item.prompt) - 1, len(item) - 1):
            p = [math.exp(x / 3.0) for x in before[position].tolist()]
            q = [math.exp(x / 3.0) for x in now[position].tolist()]
            total += sum(
                a / sum(p) * math.log((a / sum(p)) / (b / sum(q)))
                for a, b in zip(p, q, strict=True)
            )
            count += 1
    assert loss is not None
    assert float(loss.detach()) == pytest.approx(0.7 * total / count, rel=1e-6)
    assert total > 0.01


def test_a_model_that_has_not_moved_is_not_pulled() -> None:
    model = small_model(dtype=torch.float64)
    task_context = replace(context(model), before=lambda: small_model(dtype=torch.float64))
    batch = collate(task_context.encoded, 0)
    method = LwF()
    method.start(task_context)
    loss = method.extra_loss(batch, model(**batch).logits)
    assert loss is not None
    loss.backward()
    method.finish()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-12)
    assert all(float(p.grad.abs().max()) < 1e-12 for p in model.parameters())


def test_its_gradient_is_that_of_cross_entropy_with_the_old_answers() -> None:
    """The paper's loss; it differs by a constant."""
    model, teacher = small_model(dtype=torch.float64), small_model(dtype=torch.float64)
    task_context = replace(context(model), before=lambda: teacher)
    jolt(task_context, seed=0)
    batch = collate(task_context.encoded[:3], 0)
    method = LwF()
    method.start(task_context)
    ours = method.extra_loss(batch, model(**batch).logits)
    method.finish()
    answers = batch["labels"][:, 1:] != -100
    old = (teacher(**batch).logits[:, :-1][answers].detach() / 2).softmax(-1)
    new = (model(**batch).logits[:, :-1][answers] / 2).log_softmax(-1)
    assert ours is not None
    parameters = list(model.parameters())
    left = torch.autograd.grad(ours, parameters)
    right = torch.autograd.grad(-(old * new).sum(-1).mean(), parameters)
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


def test_the_first_task_can_be_left_alone_and_the_copy_goes() -> None:
    model = small_model()
    batch = collate(context(model).encoded[:2], 0)
    logits = model(**batch).logits
    method = LwF(first_task=False)
    method.start(context(model, index=0))
    assert method.extra_loss(batch, logits) is None
    method = LwF()
    task_context = replace(context(model, index=0), before=small_model)
    method.start(task_context)
    assert method.extra_loss(batch, logits) is not None
    method.finish()
    assert method.extra_loss(batch, logits) is None


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    run = assert_resumes(LwF(weight=2.0), tmp_path, family="gpt2", micro_batch=3)
    assert all(event["stored_bytes"] == 0 for event in run.events("task"))


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match=r"temperature is 0; it must be 0\.01 or more"):
        LwF(temperature=0)
    with pytest.raises(SettingError, match="weight is -2; it must be 0 or more"):
        LwF(weight=-2)
