"""Scores are those of greedy generation; probabilities are those of an ordinary forward pass."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from fggm_lab.errors import DataError, SettingError
from fggm_lab.evaluation import batches, evaluate, generate, text_loss
from fggm_lab.tasks import (
    METRICS,
    Example,
    General,
    Task,
    lenient_match,
    metric_for,
)
from fggm_lab.training.presets import preset
from tests.support.families import FAMILIES, character_tokenizer, some_examples
from tests.support.scoring import score_of
from tests.support.small import small_general, small_model, small_tasks

TOKENIZER = character_tokenizer()


def _greedy(model: PreTrainedModel, prompt: str, steps: int) -> str:
    """The slow oracle: the whole prefix anew for every token, one example at a time."""
    ids = TOKENIZER(prompt)["input_ids"]
    start = len(ids)
    for _ in range(steps):
        with torch.no_grad():
            following = int(model(torch.tensor([ids])).logits[0, -1].argmax())
        if following == TOKENIZER.eos_token_id:
            break
        ids.append(following)
    return str(TOKENIZER.decode(ids[start:], skip_special_tokens=True))


@pytest.mark.parametrize("family", FAMILIES)
def test_generation_equals_one_token_at_a_time(family: str) -> None:
    model = small_model(family, dtype=torch.float64)
    prompts = [e.prompt for e in some_examples(9)]
    limits = [3 + i % 4 for i in range(9)]
    encoded = [TOKENIZER(p)["input_ids"] for p in prompts]
    fast = generate(model, TOKENIZER, encoded, limits, batch_size=4)
    assert fast == [_greedy(model, p, n) for p, n in zip(prompts, limits, strict=True)]


@pytest.mark.parametrize("metric", ["accuracy", "rouge_l", "edit_similarity"])
def test_scores_are_those_of_answer_sets(metric: str) -> None:
    model = small_model(dtype=torch.float64, tied=False)
    with torch.no_grad():  # so that answers end by themselves
        model.lm_head.weight[TOKENIZER.eos_token_id] *= 4
    # Half of the answers are what the model says, so that both ways to a score are taken.
    texts = {e: _greedy(model, e.prompt, 20) for e in some_examples(40)}
    short = [Example(e.prompt, text) for e, text in texts.items() if 0 < len(text) < 8]
    examples = [*short[:4], *some_examples(4, seed=5)]
    assert len(examples) == 8
    score = score_of(model, TOKENIZER, examples, metric, batch_size=3)
    longest = max(len(e.answer) for e in examples) + (1 if metric == "accuracy" else 5)
    pairs = [(e, _greedy(model, e.prompt, longest)) for e in examples]
    expected = sum(METRICS[metric](e.prompt, text, e.answer) for e, text in pairs) / 8
    assert score.score == pytest.approx(expected, abs=1e-12)
    assert 0 < score.exact < 1


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
    score = score_of(model, TOKENIZER, examples, "accuracy")
    assert score.nll == pytest.approx(total / tokens, rel=1e-6)


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
    with pytest.raises(SettingError, match="max_length is 1; it must be 2 or more"):
        text_loss(model, TOKENIZER, text, max_length=1)


def test_general_of_several_texts_is_the_mean_of_their_losses() -> None:
    model = small_model()
    texts = {"foxes": "the fox sees the dog. " * 9, "cats": "a cat and a cat and a cat. " * 2}
    general = evaluate(model, TOKENIZER, [], General("two", "two", {}, texts, "lower")).general
    losses = {
        name: text_loss(model.eval(), TOKENIZER, text, max_length=64)
        for name, text in texts.items()
    }
    assert general is not None and general.skills == pytest.approx(losses)
    assert general.score == pytest.approx(sum(losses.values()) / 2)


def test_evaluation_covers_tasks_and_skills_and_leaves_the_mode_alone() -> None:
    model = small_model()
    model.train()
    measured = evaluate(model, TOKENIZER, small_tasks(), small_general())
    assert model.training
    assert list(measured) == ["task-0", "task-1", "task-2"]
    assert measured.general is not None
    skills = measured.general.skills
    assert measured.general.score == pytest.approx(sum(skills.values()) / 2)
    assert all(math.isfinite(s.nll) and s.examples == 4 for s in measured.tasks.values())


def _tasks(metric: str = "rouge_l") -> list[Task]:
    examples = tuple(some_examples(12, seed=3))
    return [Task(name, (), (), examples, metric) for name in ("one", "two")]


@pytest.mark.parametrize(
    ("limits", "first", "second"),
    [(3, 3, 3), ({"two": 2}, None, 2), ({"one": 1, "two": 7}, 1, 7), (None, None, None)],
)
def test_the_most_new_tokens_are_a_tasks_own(
    limits: int | dict[str, int] | None, first: int | None, second: int | None
) -> None:
    model = small_model(dtype=torch.float64)
    measured = evaluate(model, TOKENIZER, _tasks(), max_new_tokens=limits)
    longest = max(len(e.answer) for e in some_examples(12, seed=3)) + 5  # its end, and 4 more
    assert len(measured.predictions) == 24
    for row in measured.predictions:
        limit = {"one": first, "two": second}[row.task]
        assert row.prediction == _greedy(model, row.prompt, limit or longest)


def test_a_right_answer_is_cut_like_any_other() -> None:
    model = small_model(dtype=torch.float64, tied=False)
    with torch.no_grad():
        model.lm_head.weight[TOKENIZER.eos_token_id] *= 4
    texts = {e: _greedy(model, e.prompt, 20) for e in some_examples(60)}
    right = tuple(Example(e.prompt, text) for e, text in texts.items() if 3 < len(text) < 20)
    task = Task("one", (), (), right, "edit_similarity")
    for limit in (3, None):
        rows = evaluate(model, TOKENIZER, task, max_new_tokens=limit).predictions
        exact = [row for row in rows if row.exact]
        assert len(exact) > 3
        assert [row.prediction for row in exact] == [row.answer[:limit] for row in exact]


@pytest.mark.parametrize("metric", METRICS)
def test_empty_answers_score_zero_and_are_counted(metric: str) -> None:
    model = small_model(tied=False)
    with torch.no_grad():  # the end token, whatever the prompt: all other logits are 0 or less
        model.lm_head.weight.zero_()
        model.model.norm.weight.zero_()
        model.lm_head.weight[TOKENIZER.eos_token_id] = 1
        model.lm_head.register_forward_hook(
            lambda module, args, out: out.index_fill(-1, torch.tensor(TOKENIZER.eos_token_id), 9)
        )
    measured = evaluate(model, TOKENIZER, _tasks(metric))
    score = measured["two"]
    assert (score.score, score.empty, score.examples) == (0, 12, 12)
    assert {(row.prediction, row.score) for row in measured.predictions} == {("", 0)}
    assert evaluate(small_model(), TOKENIZER, _tasks(metric))["two"].empty < 12


@pytest.mark.parametrize("metric", METRICS)
def test_a_score_is_the_mean_of_its_predictions(metric: str) -> None:
    model = small_model(dtype=torch.float64)
    measured = evaluate(model, TOKENIZER, _tasks(metric), small_general())
    for name in ("one", "two"):
        rows = [row for row in measured.predictions if row.task == name]
        assert [row.index for row in rows] == list(range(12))
        assert [row.prompt for row in rows] == [e.prompt for e in some_examples(12, seed=3)]
        scores = [METRICS[metric](row.prompt, row.prediction, row.answer) for row in rows]
        assert sum(scores) / len(scores) == measured[name].score
        assert sum(row.exact for row in rows) / 12 == measured[name].exact
        assert sum(r.nll for r in rows) / sum(r.tokens for r in rows) == measured[name].nll


def test_what_fits_into_memory_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_model(dtype=torch.float64)
    sizes: list[int] = []
    model.register_forward_hook(lambda module, args, out: sizes.append(out.logits.shape[0]))
    at_once = score_of(model, TOKENIZER, some_examples(9), "accuracy", probe=True)
    passes = len(sizes)
    assert sum(sizes) == 9
    sizes.clear()
    longest = max(len(example.answer) for example in some_examples(9)) + 1
    monkeypatch.setattr(batches, "LOGIT_BYTES", 12 * 3 * longest * model.config.vocab_size)
    parts = score_of(model, TOKENIZER, some_examples(9), "accuracy", probe=True)
    assert sum(sizes) == 9 and passes < len(sizes) < 9
    assert parts.nll == pytest.approx(at_once.nll, rel=1e-6) and parts.exact == at_once.exact


def test_evaluation_in_bfloat16_is_near_that_in_float32() -> None:
    model = small_model()
    plain = evaluate(model, TOKENIZER, _tasks())["one"]
    low = evaluate(model, TOKENIZER, _tasks(), autocast=True)["one"]
    assert low.nll != plain.nll
    assert low.nll == pytest.approx(plain.nll, rel=0.02)


def test_tasks_may_be_one_several_a_sequence_or_a_name(tmp_path: Path) -> None:
    model, tasks = small_model(), small_tasks()
    several = evaluate(model, TOKENIZER, tasks)
    assert evaluate(model, TOKENIZER, list(tasks)) == several
    assert evaluate(model, TOKENIZER, tasks[1])["task-1"] == several["task-1"]
    folder = tmp_path / "task-0"
    folder.mkdir()
    for split in ("train", "test"):
        rows = [{"prompt": e.prompt, "answer": e.answer} for e in tasks[0].split(split)]
        (folder / f"{split}.json").write_text(json.dumps(rows))
    for source in (folder, str(folder), tmp_path):
        assert evaluate(model, TOKENIZER, source)["task-0"] == several["task-0"]


def test_general_may_be_a_name_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "copy.json").write_text(json.dumps([{"prompt": "a", "answer": "a"}]))
    measured = evaluate(small_model(), TOKENIZER, [], tmp_path)
    assert measured.general is not None and list(measured.general.skills) == ["copy"]
    assert not measured.tasks and measured.mean is None


def test_a_record_is_short_as_text_and_a_table_in_a_notebook() -> None:
    measured = evaluate(small_model(), TOKENIZER, small_tasks(), small_general())
    mean = sum(score.score for score in measured.tasks.values()) / 3
    assert measured.mean == pytest.approx(mean)
    text = repr(measured)
    assert len(text) < 200 and "task-1" in text and "General" in text and "test" in text
    table = measured._repr_html_()
    assert table.count("<tr>") == 1 + 3 + 1 + 3 and "General: one" in table
    again = json.loads(json.dumps(measured.to_json()))
    assert again["tasks"]["task-2"] == asdict(measured["task-2"])
    assert again["general"]["skills"].keys() == {"one", "two"}


def test_a_probe_takes_the_first_examples_and_keeps_no_predictions() -> None:
    measured = evaluate(small_model(), TOKENIZER, small_tasks(), small_general(), probe=2)
    assert {score.examples for score in measured.tasks.values()} == {2}
    assert measured.predictions == ()


def test_a_mistake_is_one_sentence() -> None:
    model, tasks = small_model(), small_tasks()
    with pytest.raises(SettingError, match="split is 'tset'; choose one of: eval, test; did you"):
        evaluate(model, TOKENIZER, tasks, split="tset")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="probe is 0; it must be 1 or more"):
        evaluate(model, TOKENIZER, tasks, probe=0)
    with pytest.raises(DataError, match="task one has no eval split"):
        evaluate(model, TOKENIZER, _tasks(), split="eval")
    with pytest.raises(SettingError, match=r"no task named 'task-9' was scored.*did you mean"):
        evaluate(model, TOKENIZER, tasks)["task-9"]


def _chain(text: str) -> PreTrainedModel:
    """A model that writes `text` and then ends; no character of it may come twice."""
    model = small_model()
    ids = [*TOKENIZER(text)["input_ids"], TOKENIZER.eos_token_id]

    def follow(module: object, args: object, inputs: dict[str, torch.Tensor], out: Any) -> None:
        following = torch.zeros(TOKENIZER.eos_token_id + len(TOKENIZER), dtype=torch.long)
        following[ids[:-1]] = torch.tensor(ids[1:])
        following[TOKENIZER(":")["input_ids"]] = ids[0]
        read = inputs["input_ids"][:, -out.logits.shape[1] :]
        out.logits = torch.nn.functional.one_hot(following[read], out.logits.shape[-1]).float()

    model.register_forward_hook(follow, with_kwargs=True)
    return model


def test_scored_prompts_are_cut_to_their_own_length_and_answers_stay_whole() -> None:
    model = small_model(dtype=torch.float64)
    assert len(TOKENIZER("abcdefgh")["input_ids"]) == 8  # a token for each letter, and no other
    examples = tuple(Example(("xyzab" * 6)[: 20 + i], "abcab"[: 2 + i]) for i in range(3))
    by_hand = tuple(replace(example, prompt=example.prompt[-8:]) for example in examples)
    cut, expected = (
        evaluate(
            model,
            TOKENIZER,
            Task("one", (), (), rows, "rouge_l"),
            small_general(),
            max_prompt=limit,
        )
        for rows, limit in ((examples, 8), (by_hand, None))
    )
    assert [row.prediction for row in cut.predictions] == [
        row.prediction for row in expected.predictions
    ]
    assert cut["one"].nll == expected["one"].nll
    assert (cut["one"].truncated, expected["one"].truncated) == (3, 0)
    assert cut.general == expected.general, "General is not cut"


@pytest.mark.parametrize("metric", ["accuracy", "first_character", "final_number"])
@pytest.mark.parametrize(
    "written",
    ["b", "b\nacuse", "b \n", "\nb", "\n b.ac", " \n", "a", "b.", "b1", "1", "12", "1\n2"],
)
@pytest.mark.parametrize("answer", ["b", "1"])
def test_a_score_does_not_depend_on_the_cut(metric: str, written: str, answer: str) -> None:
    expected = METRICS[metric]("q:", written, answer)
    model = _chain(written)
    # A second example with a long answer sets the limit of tokens of a set; so may the caller.
    longer = Example("q:", "x" * 9)
    tasks = [
        Task(f"{others} others", (), (), (Example("q:", answer), *[longer] * others), metric)
        for others in (0, 1)
    ]
    for limit in (None, 1, 512):
        for row in evaluate(model, TOKENIZER, tasks, max_new_tokens=limit).predictions:
            if row.index == 0:
                assert row.score == expected
                if metric == "accuracy":
                    assert lenient_match(row.prediction, answer) == lenient_match(written, answer)


def test_a_letter_with_a_reason_is_wrong_under_the_papers_preset() -> None:
    limits = preset("fggm-paper").settings.max_new_tokens
    assert isinstance(limits, Mapping)
    tasks = [
        Task(name, (), (), (Example("q:", "b"),), metric_for(name))
        for name in ("C-STANCE", "FOMC", "ScienceQA", "NumGLUE-cm", "NumGLUE-ds")
    ]
    reason = evaluate(_chain("b\nacuse"), TOKENIZER, tasks, max_new_tokens=limits)
    assert [reason[task.name].score for task in tasks] == [0, 0, 1, 0, 0]
    newline = evaluate(_chain("\nb"), TOKENIZER, tasks, max_new_tokens=limits)
    assert [newline[task.name].score for task in tasks] == [1, 1, 1, 1, 1]
    assert newline["ScienceQA"].empty == 0


def test_an_answer_of_white_space_without_end_stops() -> None:
    model = small_model(context=600)
    space = TOKENIZER(" ")["input_ids"][0]
    model.register_forward_hook(
        lambda module, args, out: setattr(
            out, "logits", torch.zeros_like(out.logits).index_fill(-1, torch.tensor(space), 9)
        )
    )
    rows = evaluate(model, TOKENIZER, Task("one", (), (), (Example("q:", "b"),))).predictions
    assert (rows[0].score, len(rows[0].prediction)) == (0, 512)


def test_cut_prompts_are_counted_and_their_length_says_nothing_of_the_answer() -> None:
    model = small_model(dtype=torch.float64)
    prompt = "".join(e.prompt for e in some_examples(9))[:60]
    examples = (Example(prompt, "a"), Example(prompt, "abcdefghi"), Example("ab:", "a"))
    task = Task("one", (), (), examples, "rouge_l")
    measured = evaluate(model, TOKENIZER, task, max_length=40)
    assert measured["one"].truncated == 2 and "2 prompts cut" in repr(measured)
    assert measured.to_json()["tasks"]["one"]["truncated"] == 2
    rows = measured.predictions
    assert rows[0].prediction == rows[1].prediction == _greedy(model, prompt[-30:], 14)
    assert evaluate(model, TOKENIZER, task)["one"].truncated == 2  # 60 + 10 tokens of 64
    assert evaluate(model, TOKENIZER, _tasks())["one"].truncated == 0


def test_an_answer_that_does_not_fit_is_refused_or_skipped_and_counted() -> None:
    model = small_model(dtype=torch.float64)
    first, long, last = Example("ab:", "a"), Example("ab:", "x" * 70), Example("cd:", "b")
    task = Task("one", (), (), (first, long, last), "rouge_l")
    with pytest.raises(DataError, match="the answer of example 1 has 71 tokens"):
        evaluate(model, TOKENIZER, task)
    measured = evaluate(model, TOKENIZER, task, skip_too_long=True)
    assert (measured["one"].examples, measured["one"].skipped) == (2, 1)
    assert "1 skipped" in repr(measured)
    assert [row.index for row in measured.predictions] == [0, 2]
    fitting = evaluate(model, TOKENIZER, Task("one", (), (), (first, last), "rouge_l"))
    assert measured["one"].score == fitting["one"].score
    assert measured["one"].nll == fitting["one"].nll
    with pytest.raises(DataError, match="no answer of task one fits into 64 tokens"):
        evaluate(model, TOKENIZER, Task("one", (), (), (long,)), skip_too_long=True)
