"""Likelihoods of choices are those of one choice at a time; accuracies follow from them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fggm_lab.errors import DataError, TrainingError
from fggm_lab.evaluation import choice_accuracy, evaluate
from fggm_lab.evaluation.choice_scoring import TokenisedQuestion, log_likelihoods
from fggm_lab.methods import SFT
from fggm_lab.models import load_model
from fggm_lab.tasks import Choice, ChooseBy, Example, General, load_general
from tests.support.families import FAMILIES, character_tokenizer
from tests.support.scoring import choice_likelihoods
from tests.support.small import small_model, small_run, small_tasks

TOKENIZER = character_tokenizer()
QUESTIONS = [
    Choice("the dog ", ("sees", "a", "runs to the fox"), 0),
    Choice("the cat and the ", ("fox", "dog", "cow"), 1),
    Choice("a", ("b", "c", "d", "e"), 2),
    Choice("", ("the fox", "fox"), 1),
]


def _oracle(model: Any, item: Choice, tokenizer: Any = TOKENIZER) -> list[float]:
    """A plain loop: the whole text anew for each choice, one token's probability at a time."""
    sums = []
    for choice in item.choices:
        ids = tokenizer(item.prompt)["input_ids"] or [tokenizer.eos_token_id]
        total = 0.0
        for token in tokenizer(choice, add_special_tokens=False)["input_ids"]:
            with torch.no_grad():
                total += float(model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token])
            ids = [*ids, token]
        sums.append(total)
    return sums


@pytest.mark.parametrize("family", FAMILIES)
def test_likelihoods_are_those_of_one_choice_at_a_time(family: str) -> None:
    model = small_model(family, dtype=torch.float64)
    likelihoods = choice_likelihoods(model, TOKENIZER, QUESTIONS, max_length=64, batch_size=3)
    for item, sums in zip(QUESTIONS, likelihoods, strict=True):
        assert sums == pytest.approx(_oracle(model, item), rel=1e-5)


def test_likelihoods_of_a_real_model(shared: Path) -> None:
    model, tokenizer = load_model(str(shared / "models" / "stories260K"))
    items = [
        Choice(
            "Once upon a time, there was a little", (" girl named Lily.", " tax on imports."), 0
        ),
        Choice("Tom was sad because he lost his", (" ball", " parliament", " toy car"), 0),
    ]
    likelihoods = choice_likelihoods(model, tokenizer, items, max_length=128)
    for item, sums in zip(items, likelihoods, strict=True):
        assert sums == pytest.approx(_oracle(model, item, tokenizer), rel=1e-4)
        assert sums[0] > sums[1]
    assert choice_accuracy(model, tokenizer, {"s": items}, "sum", max_length=128) == {"s": 1.0}


@pytest.mark.parametrize("by", ["character", "token", "sum"])
def test_accuracy_is_the_share_of_likeliest_choices_that_are_right(by: ChooseBy) -> None:
    model = small_model(dtype=torch.float64)
    right = 0
    for item in QUESTIONS:
        lengths = [1 if by == "sum" else len(choice) for choice in item.choices]
        values = [s / n for s, n in zip(_oracle(model, item), lengths, strict=True)]
        right += values.index(max(values)) == item.label
    skills = {"one": QUESTIONS[:1], "three": QUESTIONS[1:]}
    accuracy = choice_accuracy(model, TOKENIZER, skills, by, max_length=64)
    assert list(accuracy) == ["one", "three"]
    assert accuracy["one"] + 3 * accuracy["three"] == pytest.approx(right)


def test_by_generation_the_greedy_answer_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def generate(
        model: Any, tokenizer: Any, prompts: Any, limits: Any, decided: Any, size: int
    ) -> list[str]:
        calls.append(([tokenizer.decode(prompt) for prompt in prompts], limits))
        return [" a. Because", "dog", "dx", ""]

    monkeypatch.setattr("fggm_lab.evaluation.choice_scoring.generate_decided", generate)
    accuracy = choice_accuracy(
        small_model(), TOKENIZER, {"all": QUESTIONS}, "generation", max_length=64
    )
    assert accuracy == {"all": 0.25}  # the first chose another, the last two none
    prompts, limits = calls[0]
    assert prompts[:2] == [item.prompt for item in QUESTIONS[:2]]
    assert limits == [len("runs to the fox") + 4, 3 + 4, 1 + 4, len("the fox") + 4]


def _first_token(model: Any, prompt: str) -> str:
    with torch.no_grad():
        logits = model(torch.tensor([TOKENIZER(prompt)["input_ids"]])).logits
    return str(TOKENIZER.decode([int(logits[0, -1].argmax())]))


def test_a_long_prompt_is_cut_alike_for_all_choices() -> None:
    model = small_model(dtype=torch.float64)
    item = Choice("the dog and the cat and the fox ", ("a", "runs"), 0)
    (sums,) = choice_likelihoods(model, TOKENIZER, [item], max_length=12)
    # 12 tokens less the longest choice and its end: 7 tokens of the prompt are left.
    cut = TOKENIZER(item.prompt)["input_ids"]
    begins = [cut[0]] if cut[0] == TOKENIZER.bos_token_id else []
    tokens = [*begins, *cut[len(cut) - 7 + len(begins) :]]
    text = TOKENIZER.decode(tokens, skip_special_tokens=True)
    assert sums == pytest.approx(_oracle(model, Choice(text, item.choices, 0)), rel=1e-5)
    with pytest.raises(DataError, match="example 0 has 5 tokens and leaves no room"):
        choice_likelihoods(model, TOKENIZER, [item], max_length=5)


def test_a_choice_that_does_not_fit_is_told_with_its_skill_and_place_there() -> None:
    short = Choice("a", ("a", "b"), 0)
    skills = {"one": [short], "two": [short, Choice("a", ("a", "b" * 9), 0)]}
    with pytest.raises(DataError, match=r"^skill two: the answer of example 1 has 10 tokens"):
        choice_accuracy(small_model(), TOKENIZER, skills, "sum", max_length=8)


def test_broken_weights_are_no_choice() -> None:
    model = small_model()
    with torch.no_grad():
        model.lm_head.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="likelihood of the choices is not a number"):
        choice_accuracy(model, TOKENIZER, {"s": QUESTIONS}, "sum", max_length=64)


def test_general_of_mixed_kinds_is_the_mean_of_its_skills() -> None:
    model = small_model(dtype=torch.float64)
    greedy = _first_token(model, "the dog ")
    general = General(
        "mixed",
        "mixed",
        {"sums": (Example("1+1", "so\n#### 2"),), "words": (Example("a", "zz"),)},
        {},
        "higher",
        {"pick": (Choice("the dog ", (greedy, "the fox sees"), 0),) * 2},
        {"sums": "final_number"},
        "sum",
    )
    measured = evaluate(model, TOKENIZER, small_tasks(1), general, probe=1).general
    assert measured is not None
    assert measured.skills == {"sums": 0.0, "words": 0.0, "pick": 1.0}
    assert measured.score == pytest.approx(1 / 3)


def test_a_run_records_how_choices_were_made(tmp_path: Path) -> None:
    items = [{"prompt": i.prompt, "choices": list(i.choices), "label": i.label} for i in QUESTIONS]
    (tmp_path / "pick.json").write_text(json.dumps(items))
    general = load_general(tmp_path / "pick.json", choose="token")
    run = small_run(SFT(), tmp_path / "run", general=general, tasks=small_tasks(1))
    assert run.config.general_choices == "token"
    scores = run.scores
    assert scores is not None and scores.general["name"] == "pick (choices by token)"
    assert scores.general["after"] in (0, 0.25, 0.5, 0.75, 1)
    plain = small_run(SFT(), tmp_path / "plain", tasks=small_tasks(1))
    assert plain.config.general_choices is None


class _Waits(TorchDispatchMode):
    """Counts how often a number is fetched from where the model computes, for which one waits."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


def test_more_choices_are_no_more_waiting() -> None:
    model = small_model()
    counts = []
    for choices in (2, 12):
        questions = [TokenisedQuestion((5, 6), tuple((7 + c, 8) for c in range(choices)), False)]
        with _Waits() as waits:
            log_likelihoods(model, questions, pad=0, batch_size=64)
        counts.append(waits.count)
    assert counts[0] == counts[1]
