"""Scores are those of greedy generation; probabilities are those of an ordinary forward pass."""

import math

import pytest
import torch

from fggm_lab.errors import DataError
from fggm_lab.tasks import METRICS, Example
from fggm_lab.training.evaluate import evaluate, generate, score_sets, text_loss
from tests.families import FAMILIES, character_tokenizer, some_examples
from tests.training.small import small_general, small_model, small_tasks

TOKENIZER = character_tokenizer()


def _greedy(model, prompt: str, steps: int) -> str:  # type: ignore[no-untyped-def]
    """The slow oracle: the whole prefix anew for every token, one example at a time."""
    ids = TOKENIZER(prompt)["input_ids"]
    start = len(ids)
    for _ in range(steps):
        with torch.no_grad():
            following = int(model(torch.tensor([ids])).logits[0, -1].argmax())
        if following == TOKENIZER.eos_token_id:
            break
        ids.append(following)
    return TOKENIZER.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_generation_equals_one_token_at_a_time(family: str) -> None:
    model = small_model(family, dtype=torch.float64)
    prompts = [e.prompt for e in some_examples(9)]
    limits = [3 + i % 4 for i in range(9)]
    encoded = [TOKENIZER(p)["input_ids"] for p in prompts]
    fast = generate(model, TOKENIZER, encoded, limits, batch_size=4)
    assert fast == [_greedy(model, p, n) for p, n in zip(prompts, limits, strict=True)]


@pytest.mark.parametrize("metric", ["accuracy", "rouge_l", "edit_similarity"])
def test_scores_are_those_of_greedy_answers(metric: str) -> None:
    model = small_model(dtype=torch.float64, tied=False)
    with torch.no_grad():  # so that answers end by themselves
        model.lm_head.weight[TOKENIZER.eos_token_id] *= 4
    # Half of the answers are what the model says, so that both ways to a score are taken.
    said = {e: _greedy(model, e.prompt, 20) for e in some_examples(40)}
    short = [Example(e.prompt, text) for e, text in said.items() if 0 < len(text) < 8]
    examples = [*short[:4], *some_examples(4, seed=5)]
    assert len(examples) == 8
    found = score_sets(model, TOKENIZER, {"set": (examples, metric)}, max_length=64, batch_size=3)[
        "set"
    ]
    longest = max(len(e.answer) for e in examples) + (1 if metric == "accuracy" else 5)
    pairs = [(e, _greedy(model, e.prompt, longest)) for e in examples]
    expected = sum(METRICS[metric](e.prompt, text, e.answer) for e, text in pairs) / 8
    assert found.score == pytest.approx(expected, abs=1e-12)
    assert 0 < found.exact < 1


def test_likelihood_equals_an_unpadded_forward_pass() -> None:
    model = small_model(dtype=torch.float64)
    examples = some_examples(5)
    total, tokens = 0.0, 0
    for e in examples:
        prompt = TOKENIZER(e.prompt)["input_ids"]
        answer = [*TOKENIZER(e.answer)["input_ids"], TOKENIZER.eos_token_id]
        with torch.no_grad():
            logp = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        for i, token in enumerate(answer):
            total -= float(logp[len(prompt) + i - 1, token])
            tokens += 1
    found = score_sets(model, TOKENIZER, {0: (examples, "accuracy")}, max_length=64)[0]
    assert found.nll == pytest.approx(total / tokens, rel=1e-6)


def test_text_loss_equals_a_plain_cross_entropy() -> None:
    model = small_model(dtype=torch.float64)
    text = "the fox sees the dog and the dog sees the fox. " * 3
    ids = torch.tensor(TOKENIZER(text)["input_ids"])
    total, tokens = 0.0, 0
    for start in range(0, len(ids), 32):
        window = ids[start : start + 32]
        with torch.no_grad():
            logits = model(window[None]).logits[0]
        total += float(torch.nn.functional.cross_entropy(logits[:-1], window[1:], reduction="sum"))
        tokens += len(window) - 1
    assert text_loss(model, TOKENIZER, text, max_length=32) == pytest.approx(total / tokens)
    with pytest.raises(DataError, match="fewer than two tokens"):
        text_loss(model, TOKENIZER, "a", max_length=32)


def test_evaluation_covers_tasks_and_skills_and_leaves_the_mode_alone() -> None:
    model = small_model()
    model.train()
    found = evaluate(
        model, TOKENIZER, list(small_tasks()), small_general(), split="test", max_length=64
    )
    assert model.training
    assert list(found["tasks"]) == ["task-0", "task-1", "task-2"]
    skills = found["general"]["skills"]
    assert found["general"]["score"] == pytest.approx(sum(skills.values()) / 2)
    assert all(math.isfinite(s["nll"]) and s["examples"] == 4 for s in found["tasks"].values())
