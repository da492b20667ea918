"""Self-KL pulls the model back to what it thought of its own texts, and to nothing else."""

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.methods import SelfKL, TaskContext, make_method
from fggm_lab.methods.base import Memory
from fggm_lab.methods.reference_texts import (
    divergence,
    record_reference,
    stored_texts,
    taken_openings,
)
from fggm_lab.models.encoding import IGNORED, Encoded, collate
from fggm_lab.models.sampling import beginning_token
from fggm_lab.settings import TrainingSettings
from fggm_lab.training.task import _backward
from tests.support.resuming import assert_resumes
from tests.support.small import context, jolt, small_model

TEXTS = [(1, 5, 9, 4), (1, 7), (1, 8, 8, 3, 6, 2)]


def logits_of(model: PreTrainedModel, ids: tuple[int, ...]) -> Tensor:
    """At the places that predict a text's tokens, without padding."""
    return model(input_ids=torch.tensor([ids])).logits[0, :-1]


def small(**settings: Any) -> SelfKL:
    """Few and short texts."""
    return SelfKL(**{"start_samples": 6, "per_step": 4, "length": 10, **settings})


def planned(method: SelfKL, model: PreTrainedModel, memory: Memory | None = None) -> TaskContext:
    """The context of a task whose texts are drawn, and that has been started."""
    task_context = replace(context(model), memory={} if memory is None else memory)
    method.plan(task_context)
    method.start(task_context)
    return task_context


def step_gradients(
    method: SelfKL, task_context: TaskContext, micro_batch: int | None = None
) -> dict[str, Tensor]:
    """The gradients of the first step, of three examples."""
    model = task_context.model
    model.zero_grad()
    batch = method.batch(task_context, task_context.encoded[:3], 0)
    _backward(task_context, method, batch, TrainingSettings(micro_batch=micro_batch))
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("top", [3, 10_000])
def test_the_divergence_is_that_of_the_likeliest_tokens_and_all_others_as_one(top: int) -> None:
    before, now = small_model(dtype=torch.float64), small_model(dtype=torch.float64)
    jolt(context(now), seed=0)
    merged = unmerged = 0.0
    for ids in TEXTS:
        p, q = (logits_of(m, ids).softmax(-1).detach() for m in (before, now))
        unmerged += float(kl_divergence(Categorical(p), Categorical(q)).sum())
        for then, later in zip(p.tolist(), q.tolist(), strict=True):
            order = sorted(range(len(then)), key=lambda i: -then[i])
            groups = [[i] for i in order[:top]] + [order[top:]]
            for group in groups:
                a, b = sum(then[i] for i in group), sum(later[i] for i in group)
                merged += a * math.log(a / b) if a else 0.0
    references = record_reference(before, TEXTS, top)
    now_logits = torch.cat([logits_of(now, ids) for ids in TEXTS])
    result = float(divergence(now_logits, references).detach())
    assert result == pytest.approx(merged, rel=1e-5)
    assert result <= unmerged * (1 + 1e-5) and unmerged > 0.01
    assert (result == pytest.approx(unmerged, rel=1e-5)) == (top == 10_000)


def test_a_model_that_has_not_moved_is_not_pulled() -> None:
    model = small_model(dtype=torch.float64)
    method = small(prompts=0.0, top=5)
    task_context = planned(method, model)
    pulled = step_gradients(method, task_context)
    plain = step_gradients(replace(method, weight=0.0), task_context)
    for name, gradient in plain.items():
        assert torch.allclose(pulled[name], gradient, atol=1e-7), name  # references are in float32


def test_a_step_adds_the_divergence_from_the_model_before_and_the_loss_of_prompts() -> None:
    model = small_model(dtype=torch.float64)
    before = copy.deepcopy(model)
    method = small(weight=0.7, prompts=0.3, top=10_000)
    task_context = planned(method, model)
    jolt(task_context, seed=0)
    gradients = step_gradients(method, task_context)
    examples = task_context.encoded[:3]
    texts = [t.prompt for t in method.batch(task_context, examples, 0)[3:]]
    method.finish()
    assert len(texts) == 4
    loss = torch.zeros((), dtype=torch.float64)
    answers = sum(len(e.answer) for e in examples)
    prompts = sum(len(e.prompt) - 1 for e in examples)
    for e in examples:  # one by one, without padding
        tokens = torch.tensor(e.prompt + e.answer)
        log_q = logits_of(model, e.prompt + e.answer).log_softmax(-1)
        losses = -log_q.gather(1, tokens[1:, None])[:, 0]
        prompt_length = len(e.prompt) - 1
        loss = (
            loss
            + losses[prompt_length:].sum() / answers
            + 0.3 * losses[:prompt_length].sum() / prompts
        )
    tokens_rehearsed = sum(len(ids) - 1 for ids in texts)
    for ids in texts:
        p, q = Categorical(logits=logits_of(before, ids)), Categorical(logits=logits_of(model, ids))
        loss = loss + 0.7 * kl_divergence(p, q).sum() / tokens_rehearsed
    model.zero_grad()
    loss.backward()
    for name, parameter in model.named_parameters():
        assert torch.allclose(gradients[name], parameter.grad, rtol=1e-4, atol=1e-7), name


@pytest.mark.parametrize("micro_batch", [1, 2, 5])
def test_micro_batches_make_the_same_step(micro_batch: int) -> None:
    model = small_model(dtype=torch.float64)
    method = small(prompts=0.3)
    task_context = planned(method, model)
    jolt(task_context, seed=0)
    expected = step_gradients(method, task_context)
    parts = step_gradients(method, task_context, micro_batch)
    for name, gradient in expected.items():
        assert torch.allclose(parts[name], gradient, atol=1e-10), name


def test_taking_the_reference_leaves_each_module_in_its_mode() -> None:
    model = small_model().train()
    frozen = next(module for module in model.modules() if isinstance(module, torch.nn.Linear))
    frozen.eval()
    record_reference(model, TEXTS, top=3)
    assert model.training and not frozen.training


def after_tasks(method: SelfKL, model: PreTrainedModel, tasks: int) -> Memory:
    """The memory after some tasks, each of which moves the model."""
    memory: Memory = {}
    for index in range(tasks):
        task_context = replace(context(model, index), memory=memory)
        method.plan(task_context)
        jolt(task_context, seed=index)
        method.after_task(task_context)
    return memory


def test_each_text_keeps_the_reference_of_the_model_that_drew_it() -> None:
    model = small_model()
    memory: Memory = {}
    method = small(start_samples=3, task_samples=4)
    for index in range(3):
        task_context = replace(context(model, index), memory=memory)
        method.plan(task_context)
        drawn = stored_texts(memory)[index]
        expected = record_reference(model, [text.ids for text in drawn], method.top)
        for text, reference in zip(drawn, expected, strict=True):
            assert torch.equal(text.likeliest, reference.likeliest)
            assert torch.equal(text.log_probabilities, reference.log_probabilities)
        jolt(task_context, seed=index)
        method.after_task(task_context)
    assert {task: len(texts) for task, texts in stored_texts(memory).items()} == {0: 3, 1: 4, 2: 4}


def test_texts_drawn_after_a_task_begin_as_its_prompts_and_nothing_else_is_kept() -> None:
    model = small_model()
    method = small(task_samples=12, opening=3)
    memory = after_tasks(method, model, tasks=2)
    openings = {e.prompt[:3] for e in context(model, 0).encoded}
    assert {text.ids[:3] for text in stored_texts(memory)[1]} <= openings
    of_second = {e.prompt[:3] for e in context(model, 1).encoded}
    assert set(taken_openings(memory)) <= of_second
    assert not taken_openings(memory)
    begin = beginning_token(context(model).tokenizer)
    assert {text.ids[0] for text in stored_texts(memory)[0]} == {begin}
    without = after_tasks(small(opening=0, task_samples=2), small_model(), tasks=1)
    assert taken_openings(without) == [(), ()]


def test_a_step_rehearses_different_texts_and_only_when_it_is_due() -> None:
    method = small(start_samples=20, per_step=5, every=3)
    task_context = planned(method, small_model())
    examples = task_context.encoded[:2]
    batches = [method.batch(task_context, examples, step) for step in range(7)]
    assert [len(batch) - 2 for batch in batches] == [5, 0, 0, 5, 0, 0, 5]
    assert all(batch[:2] == examples for batch in batches)
    assert {t.prompt for t in batches[0][2:]} != {t.prompt for t in batches[3][2:]}
    assert (collate(batches[0], 0)["labels"][2:] == IGNORED).all()
    assert method.batch(task_context, examples, 3) == batches[3]


@pytest.mark.parametrize("every", [1, 2])
def test_the_share_of_the_first_texts_holds_over_the_steps(every: int) -> None:
    model = small_model()
    method = small(start_samples=9, task_samples=9, per_step=3, start_share=0.25, every=every)
    memory = after_tasks(method, model, tasks=2)
    first, second = ({t.ids for t in stored_texts(memory)[task]} for task in (0, 1))
    assert not first & second
    task_context = replace(context(model, 2), memory=memory)
    method.start(task_context)
    rehearsed = [t.prompt for step in range(40) for t in method.batch(task_context, [], step)]
    method.finish()
    assert len(rehearsed) == 40 * 3 // every
    assert sum(ids in first for ids in rehearsed) == len(rehearsed) // 4


def test_beside_replay_the_old_examples_prompts_are_counted_too() -> None:
    settings = {"start_samples": 4, "per_step": 4, "length": 8}
    both = make_method("self-kl+replay", **{"self-kl": settings})
    other = make_method("replay+self-kl", **{"self-kl": settings})
    memory: Memory = {}
    make_method("replay").after_task(replace(context(small_model(), 0), memory=memory))
    batches: list[list[Encoded]] = []
    for method in (both, other):
        task_context = replace(context(small_model()), memory=dict(memory))
        method.plan(task_context)
        method.start(task_context)
        batches.append(method.batch(task_context, task_context.encoded[:3], 0))
    assert batches[0] == batches[1]
    assert [bool(item.answer) for item in batches[0]] == [True] * 6 + [False] * 4


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    assert_resumes(small(task_samples=3), tmp_path)


def test_texts_longer_than_an_example_may_be_are_refused() -> None:
    with pytest.raises(SettingError, match=r"draws 64 tokens after 4 .* length of at most 60"):
        small(length=64).plan(context(small_model()))


@pytest.mark.parametrize(
    ("token", "says"),
    [(1, "are all empty, such as '<eos>'"), (3, "are all the same, such as 'aaa")],
)
def test_texts_that_say_nothing_are_warned_of(token: int, says: str) -> None:
    model = small_model()
    with torch.no_grad():  # whatever stands before, this token follows
        head = model.get_output_embeddings().weight
        head.zero_()
        model.get_output_embeddings().bias = torch.nn.Parameter(torch.zeros(head.shape[0]))
        model.get_output_embeddings().bias[token] = 100.0
    with pytest.warns(UserWarning, match=says):
        small().plan(context(model))


def test_beside_adapters_a_mask_of_the_models_own_weights_is_refused() -> None:
    with pytest.raises(SettingError, match="magnitude works on the model's own"):
        make_method("lora+self-kl+magnitude")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("per_step", 0), ("every", 0), ("weight", -1.0), ("start_share", 1.5), ("form", "chat")],
)
def test_settings_outside_what_they_may_be_are_refused(setting: str, value: object) -> None:
    with pytest.raises(SettingError, match=setting):
        make_method("self-kl", **{setting: value})
