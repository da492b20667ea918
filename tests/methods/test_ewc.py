"""EWC's gradient is that of the penalties written out, one per former task."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fggm_lab.errors import SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.methods import EWC, SFT, OnlineEWC, TaskContext
from tests.support.families import FAMILIES
from tests.support.resuming import assert_resumes, weights
from tests.support.small import context, jolt, small_model, small_run, small_tasks

Record = tuple[dict[str, Tensor], dict[str, Tensor]]


def learn(method: EWC, task_context: TaskContext, tasks: int) -> list[Record]:
    """Pretend to learn tasks; the Fisher and the weights after each, worked out independently."""
    records: list[Record] = []
    for index in range(tasks):
        now = replace(context(task_context.model, index), memory=task_context.memory)
        jolt(now, seed=index)
        method.after_task(now)
        scores = fisher_scores(now.model, now.tokenizer, now.examples, elementwise=True)
        assert scores.elementwise is not None
        weights = {n: p.detach().clone() for n, p in now.model.named_parameters()}
        records.append((scores.elementwise, weights))
    jolt(task_context, seed=99)
    return records


def added(
    method: EWC, task_context: TaskContext, gradients: dict[str, Tensor]
) -> dict[str, Tensor]:
    """What the method makes of some gradients."""
    for name, parameter in task_context.model.named_parameters():
        parameter.grad = gradients[name].clone() if name in gradients else None
    method.start(task_context)
    method.on_gradients(task_context.model)
    method.finish()
    return {n: p.grad for n, p in task_context.model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_is_that_of_one_penalty_per_task(family: str) -> None:
    task_context = context(small_model(family, dtype=torch.float64), index=2)
    method = EWC(strength=7.0)
    records = learn(method, task_context, tasks=3)
    parameters = dict(task_context.model.named_parameters())
    penalty = sum(
        3.5 * (fisher[name] * (parameter - weights[name]) ** 2).sum()
        for fisher, weights in records
        for name, parameter in parameters.items()
    )
    assert isinstance(penalty, Tensor)
    expected = dict(
        zip(parameters, torch.autograd.grad(penalty, list(parameters.values())), strict=True)
    )
    plain = {name: torch.randn_like(p) for name, p in parameters.items()}
    for name, gradient in added(method, task_context, plain).items():
        torch.testing.assert_close(gradient - plain[name], expected[name], rtol=1e-9, atol=1e-12)
    for name, gradient in added(
        method, task_context, {}
    ).items():  # a weight the loss did not reach
        torch.testing.assert_close(gradient, expected[name], rtol=1e-9, atol=1e-15)
    assert max(float(w.abs().max()) for w in expected.values()) > 1e-3


def test_two_numbers_per_weight_however_many_tasks() -> None:
    task_context = context(small_model(), index=2)
    method = EWC()
    learn(method, task_context, tasks=3)
    weights = sum(p.numel() for p in task_context.model.parameters())
    assert sum(tensor.numel() for tensor in task_context.memory.values()) == 2 * weights


def test_online_ewc_fades_the_fisher_and_keeps_the_last_weights() -> None:
    task_context = context(small_model(dtype=torch.float64), index=2)
    method = OnlineEWC(strength=2.0, decay=0.6)
    (first, _), (second, _), (third, last) = learn(method, task_context, tasks=3)
    gradients = added(method, task_context, {})
    for name, parameter in task_context.model.named_parameters():
        fisher = 0.36 * first[name] + 0.6 * second[name] + third[name]
        expected = 2.0 * fisher * (parameter.detach() - last[name])
        torch.testing.assert_close(gradients[name], expected, rtol=1e-9, atol=1e-15)


def test_after_one_task_both_are_the_same_and_before_it_there_is_nothing() -> None:
    gradients = []
    for method in (EWC(), OnlineEWC()):
        task_context = context(small_model(), index=1)
        assert added(method, task_context, {}) == {}
        learn(method, task_context, tasks=1)
        gradients.append(added(method, task_context, {}))
    assert all(torch.equal(gradients[0][name], gradients[1][name]) for name in gradients[0])


def test_it_holds_the_weights_that_matter(tmp_path: Path) -> None:
    """The stronger it is, the less the weights move, weighed by their Fisher."""
    moved = []
    for strength in (0.0, 10.0, 1000.0):
        run = small_run(
            EWC(strength=strength),
            tmp_path / str(strength),
            tasks=small_tasks(2),
            optimizer="sgd",
            lr=1e-3,
        )
        before, after = run.memory(0), run.memory(1)
        # Both tasks' Fisher times the distance of their mean from the first's weights.
        moved.append(
            sum(
                float((before[key] * (after[anchor] - before[anchor]).square()).sum())
                for key in before
                if ".fisher." in key and (anchor := key.replace("fisher", "anchor"))
            )
        )
    assert moved[0] > moved[1] > moved[2] > 0


def test_without_strength_it_is_fine_tuning(tmp_path: Path) -> None:
    ours, plain = (small_run(m, tmp_path / m.name) for m in (EWC(strength=0.0), SFT()))
    left, right = weights(ours), weights(plain)
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert [e["stored_bytes"] > 0 for e in ours.events("task")] == [True] * 3


@pytest.mark.parametrize("method", [EWC(100.0, 4), OnlineEWC(100.0)], ids=lambda m: m.name)
def test_resumed_equals_uninterrupted(tmp_path: Path, method: EWC) -> None:
    assert_resumes(method, tmp_path, family="gpt2")


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(SettingError, match="strength is -1; it must be 0 or more"):
        EWC(strength=-1)
    with pytest.raises(SettingError, match="strength is much; it must be 0 or more"):
        EWC(strength="much")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="max_examples is 0; it must be 1 or more"):
        EWC(max_examples=0)
    with pytest.raises(SettingError, match=r"max_examples is 1\.5; it must be a whole number"):
        EWC(max_examples=1.5)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="decay is 2; it must be from 0 to 1"):
        OnlineEWC(decay=2)
