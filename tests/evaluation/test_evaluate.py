"""Scores are those of greedy generation; probabilities are those of an ordinary forward pass."""

import math

import pytest
import torch

from fggm_lab.errors import DataError
from fggm_lab.evaluation import answers
from fggm_lab.evaluation.evaluate import evaluate, score_sets, text_loss
from fggm_lab.evaluation.generate import generate
from fggm_lab.runs import Prediction
from fggm_lab.tasks import METRICS, Example, Task
from tests.support.families import FAMILIES, character_tokenizer, some_examples
from tests.support.small import small_general, small_model, small_tasks

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


def _tasks(metric: str = "rouge_l") -> list[Task]:
    examples = tuple(some_examples(12, seed=3))
    return [Task(name, (), (), examples, metric) for name in ("one", "two")]


@pytest.mark.parametrize(
    ("most", "one", "two"),
    [(3, 3, 3), ({"two": 2}, None, 2), ({"one": 1, "two": 7}, 1, 7), (None, None, None)],
)
def test_the_most_new_tokens_are_a_tasks_own(
    most: int | dict[str, int] | None, one: int | None, two: int | None
) -> None:
    model = small_model(dtype=torch.float64)
    kept: list[Prediction] = []
    evaluate(
        model,
        TOKENIZER,
        _tasks(),
        None,
        split="test",
        max_length=64,
        max_new_tokens=most,
        kept=kept,
    )
    longest = max(len(e.answer) for e in some_examples(12, seed=3)) + 5  # its end, and 4 more
    for row in kept:
        asked = {"one": one, "two": two}[row.task]
        assert row.prediction == _greedy(model, row.prompt, asked or longest)


def test_a_right_answer_is_cut_like_any_other() -> None:
    model = small_model(dtype=torch.float64, tied=False)
    with torch.no_grad():
        model.lm_head.weight[TOKENIZER.eos_token_id] *= 4
    said = {e: _greedy(model, e.prompt, 20) for e in some_examples(60)}
    right = tuple(Example(e.prompt, text) for e, text in said.items() if 3 < len(text) < 20)
    for most, cut in ((3, 3), (None, None)):
        kept: list[Prediction] = []
        tasks = [Task("one", (), (), right, "edit_similarity")]
        ask = {"split": "test", "max_length": 64, "max_new_tokens": most}
        evaluate(model, TOKENIZER, tasks, None, **ask, kept=kept)
        exact = [row for row in kept if row.exact]
        assert len(exact) > 3
        assert [row.prediction for row in exact] == [row.answer[:cut] for row in exact]


@pytest.mark.parametrize("metric", METRICS)
def test_empty_answers_score_zero_and_are_counted(metric: str) -> None:
    model = small_model(tied=False)
    with torch.no_grad():  # the end token, whatever the prompt: all other logits are 0 or less
        model.lm_head.weight.zero_()
        model.model.norm.weight.zero_()
        model.lm_head.weight[TOKENIZER.eos_token_id] = 1
        model.lm_head.register_forward_hook(
            lambda module, given, out: out.index_fill(-1, torch.tensor(TOKENIZER.eos_token_id), 9)
        )
    kept: list[Prediction] = []
    found = evaluate(
        model, TOKENIZER, _tasks(metric), None, split="test", max_length=64, kept=kept
    )["tasks"]["two"]
    assert (found["score"], found["empty"], found["examples"]) == (0, 12, 12)
    assert {row.prediction for row in kept} == {""} and {row.score for row in kept} == {0}
    full = evaluate(small_model(), TOKENIZER, _tasks(metric), None, split="test", max_length=64)
    assert full["tasks"]["two"]["empty"] < 12


@pytest.mark.parametrize("metric", METRICS)
def test_a_score_is_the_mean_of_what_is_kept(metric: str) -> None:
    model = small_model(dtype=torch.float64)
    kept: list[Prediction] = []
    found = evaluate(
        model, TOKENIZER, _tasks(metric), small_general(), split="test", max_length=64, kept=kept
    )["tasks"]
    for name in ("one", "two"):
        rows = [row for row in kept if row.task == name]
        assert [row.index for row in rows] == list(range(12))
        assert [row.prompt for row in rows] == [e.prompt for e in some_examples(12, seed=3)]
        scores = [METRICS[metric](row.prompt, row.prediction, row.answer) for row in rows]
        assert sum(scores) / len(scores) == found[name]["score"]
        assert sum(row.exact for row in rows) / 12 == found[name]["exact"]
        assert sum(r.nll for r in rows) / sum(r.tokens for r in rows) == found[name]["nll"]


def test_what_fits_into_memory_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(dtype=torch.float64)
    sizes: list[int] = []
    model.register_forward_hook(lambda module, given, out: sizes.append(out.logits.shape[0]))
    sets = {0: (some_examples(9), "accuracy")}
    whole = score_sets(model, TOKENIZER, sets, max_length=64, sample=True)[0]
    assert sizes == [9]
    monkeypatch.setattr(answers, "LOGIT_BYTES", 12 * 100 * model.config.vocab_size)
    parts = score_sets(model, TOKENIZER, sets, max_length=64, sample=True)[0]
    assert 1 < max(sizes[1:]) < 9 and sum(sizes[1:]) == 9
    assert parts.nll == pytest.approx(whole.nll, rel=1e-6) and parts.exact == whole.exact


def test_evaluation_in_bfloat16_is_near_that_in_float32() -> None:
    model = small_model()
    ask = {"split": "test", "max_length": 64}
    plain = evaluate(model, TOKENIZER, _tasks(), None, **ask)["tasks"]["one"]
    low = evaluate(model, TOKENIZER, _tasks(), None, **ask, autocast=True)["tasks"]["one"]
    assert low["nll"] != plain["nll"]
    assert low["nll"] == pytest.approx(plain["nll"], rel=0.02)
