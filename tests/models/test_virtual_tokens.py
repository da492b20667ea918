"""Adapters that put learned tokens before a text: its answers are scored where they are."""

import copy
import math
from dataclasses import replace
from pathlib import Path

import peft
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError
from fggm_lab.evaluation import check_model
from fggm_lab.evaluation.greedy_answers import teacher_forced
from fggm_lab.fisher import fisher_scores
from fggm_lab.fisher.likelihood import AnswerLikelihood
from fggm_lab.methods import SFT, LwF
from fggm_lab.models import Encoded, collate, encode
from fggm_lab.models.encoding import text_logits
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import Choice
from fggm_lab.training.masked_gradients import MaskedGradients
from fggm_lab.training.task import train_task
from tests.support.families import character_tokenizer, some_examples, tiny_model
from tests.support.scoring import choice_likelihoods
from tests.support.small import context, small_run

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(5)
ENCODED = encode(TOKENIZER, EXAMPLES, 40)
CONFIGS: dict[str, peft.PeftConfig] = {
    "prompt tuning": peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    "p-tuning": peft.PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=3, encoder_hidden_size=8
    ),
    "CPT": peft.CPTConfig(
        task_type="CAUSAL_LM",
        cpt_token_ids=[5, 6, 7],
        cpt_mask=[1, 1, 1],
        cpt_tokens_type_mask=[1, 2, 3],
    ),
}


def adapted(kind: str, family: str) -> PreTrainedModel:
    """A tiny model with virtual tokens, of which only they are trained."""
    torch.manual_seed(0)
    model: PreTrainedModel = peft.get_peft_model(tiny_model(family), CONFIGS[kind])
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.double().eval()


def alone(model: PreTrainedModel, example: Encoded) -> Tensor:
    """log p(answer | prompt), counted from the text's end."""
    ids = torch.tensor([example.prompt + example.answer])
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits
    count = len(example.answer)
    logs = logits[0, -count - 1 : -1].log_softmax(-1)
    return logs.gather(1, ids[0, -count:, None]).sum()


@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_answers_are_scored_at_their_own_positions(kind: str, family: str) -> None:
    model = adapted(kind, family)
    with torch.no_grad():
        truth = torch.stack([alone(model, example) for example in ENCODED])
        likelihood = AnswerLikelihood(model)(collate(ENCODED, 0))
    assert float(likelihood) == pytest.approx(float(truth.sum()), rel=1e-6)
    _, losses = teacher_forced(model, ENCODED, 0, 4)
    torch.testing.assert_close(-torch.tensor(losses).double(), truth, rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:no rule covers")
@pytest.mark.parametrize("family", ["llama", "gpt2"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_scores_are_exact(kind: str, family: str) -> None:
    model = adapted(kind, family)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    diagonal = {name: torch.zeros_like(parameter) for name, parameter in trained.items()}
    for example in ENCODED:
        gradients = torch.autograd.grad(alone(model, example), list(trained.values()))
        for name, gradient in zip(trained, gradients, strict=True):
            diagonal[name] += gradient**2 / len(ENCODED)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES, batch_size=4, elementwise=True)
    assert scores.elementwise is not None
    for name, truth in diagonal.items():
        torch.testing.assert_close(scores.elementwise[name], truth, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("kind", CONFIGS)
def test_likelihoods_of_choices_are_those_of_one_choice_at_a_time(kind: str) -> None:
    model = adapted(kind, "llama")
    questions = [
        Choice("the dog ", ("sees", "a", "runs to the fox"), 0),
        Choice("the cat and the ", ("fox", "cow"), 1),
    ]
    likelihoods = choice_likelihoods(model, TOKENIZER, questions, max_length=64, batch_size=3)
    for question, logs in zip(questions, likelihoods, strict=True):
        prompt = TOKENIZER(question.prompt)["input_ids"]
        answers = [TOKENIZER(c, add_special_tokens=False)["input_ids"] for c in question.choices]
        with torch.no_grad():
            truth = [float(alone(model, Encoded(prompt, answer, False))) for answer in answers]
        assert logs == pytest.approx(truth, rel=1e-5)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_step_of_training_is_plain_torch_s_one_example_at_a_time(kind: str) -> None:
    model, rate = adapted(kind, "llama"), 0.5
    reference = copy.deepcopy(model)
    trained = {n: p for n, p in reference.named_parameters() if p.requires_grad}
    tokens = sum(len(example.answer) for example in ENCODED)
    loss = -torch.stack([alone(reference, example) for example in ENCODED]).sum() / tokens
    gradients = torch.autograd.grad(loss, list(trained.values()))
    settings = TrainingSettings(batch_size=len(ENCODED), lr=rate, clip=None, schedule="constant")
    task = replace(context(model), encoded=ENCODED)
    with MaskedGradients(model, None) as masking:
        optimizer = torch.optim.SGD(list(masking.parameters()), lr=rate)
        masking.attach(optimizer)
        train_task(task, SFT(), masking, optimizer, settings, ENCODED, 1, 0, lambda report: True)
    moved = dict(model.named_parameters())
    for (name, before), gradient in zip(trained.items(), gradients, strict=True):
        torch.testing.assert_close(moved[name], before - rate * gradient, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_divergence_from_the_model_before_is_taken_at_the_answers(kind: str) -> None:
    model, teacher = adapted(kind, "llama"), adapted(kind, "llama")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(3 * torch.randn_like(parameter))
    method = LwF(weight=1.0, temperature=1.0)
    method.start(replace(context(model), before=lambda: teacher))
    batch = collate(ENCODED, 0)
    inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
    logits = text_logits(model(**inputs).logits, batch["labels"].shape[1])
    divergence = method.extra_loss(batch, logits)
    method.finish()
    total = 0.0
    for example in ENCODED:
        ids, count = torch.tensor([example.prompt + example.answer]), len(example.answer)
        with torch.no_grad():
            now, before = (
                m(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -count - 1 : -1]
                for m in (model, teacher)
            )
        for p, q in zip(before.softmax(-1), now.softmax(-1), strict=True):
            total += sum(a * math.log(a / b) for a, b in zip(p.tolist(), q.tolist(), strict=True))
    assert divergence is not None and total > 1e-4
    tokens = sum(len(example.answer) for example in ENCODED)
    assert float(divergence.detach()) == pytest.approx(total / tokens, rel=1e-6)


def test_a_run_refuses_adapters_for_it_stores_whole_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="carries adapters of peft"):
        small_run(SFT(), tmp_path / "run", model=adapted("CPT", "llama"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_probe_finds_the_same(kind: str) -> None:
    check = check_model(adapted(kind, "llama"), TOKENIZER)
    wrong = [finding for finding in check.findings if finding.outcome in ("wrong", "refused")]
    assert not wrong


def test_ordinary_logits_stay_as_they_are() -> None:
    logits = torch.randn(2, 5, 7)
    assert torch.equal(text_logits(logits, 5), logits)
    assert torch.equal(text_logits(logits, 3), logits[:, 2:])
