"""Completions repeat, are run with their tests, and give pass@k; nothing runs unless allowed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from fggm_lab.errors import DataError, SettingError
from fggm_lab.evaluation import (
    Completion,
    completions,
    pass_at_every_k,
    read_completions,
    sample_completions,
    write_completions,
)
from fggm_lab.tasks import CodeProblem, Outcome, pass_at_k, read_problems
from tests.support.families import character_tokenizer
from tests.support.small import small_model

TOKENIZER = character_tokenizer()
# Whatever follows the sign is a comment, so that right and wrong do not depend on the model.
PROBLEMS = [
    CodeProblem("right", "def f():\n    return 1 #", " one\n", "assert f() == 1"),
    CodeProblem(
        "wrong", "def function():\n    return 2 # the dog and ", " one\n", "assert function() == 1"
    ),
]


def drawn(samples: int = 3, model: Any = None, **settings: Any) -> list[Completion]:
    settings = {"allow": True, "max_new_tokens": 12, **settings}
    return sample_completions(model or small_model(), TOKENIZER, PROBLEMS, samples, **settings)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that would have been run; those that return 1 pass."""
    programs: list[str] = []

    def run_programs(sources: Sequence[str], *, allow: bool, limits: object) -> list[Outcome]:
        assert allow
        programs.extend(sources)
        passed = ["return 1" in source for source in sources]
        return [Outcome(p, "passed" if p else "wrong answer", "", 0.1, "") for p in passed]

    monkeypatch.setattr(completions, "run_programs", run_programs)
    return programs


def test_the_same_seed_draws_the_same_and_nothing_else_moves(ran: list[str]) -> None:
    model = small_model().train()
    state = torch.get_rng_state()
    first = drawn(model=model, seed=1)
    assert torch.equal(torch.get_rng_state(), state) and model.training
    assert first == drawn(model=model, seed=1)
    assert first != drawn(model=model, seed=2)
    assert len({completion.completion for completion in first}) > 3
    samples = [(completion.problem, completion.sample) for completion in first]
    assert samples == [(name, sample) for name in ("right", "wrong") for sample in range(3)]
    assert all(len(completion.completion) <= 12 for completion in first)


def test_a_program_that_comes_again_runs_once(ran: list[str]) -> None:
    completions = drawn(samples=1, temperature=0.0) + drawn(samples=4, temperature=1e-4)
    assert len({c.completion for c in completions if c.problem == "right"}) == 1
    assert len(ran) == 2 + 2


def test_low_temperatures_approach_the_greedy_answer_in_a_batch_of_prompts(ran: list[str]) -> None:
    greedy = {
        completion.problem: completion.completion
        for completion in drawn(samples=1, temperature=0.0)
    }
    assert len(set(greedy.values())) == 2
    for completion in drawn(samples=3, temperature=1e-4, batch_size=4):
        assert completion.completion == greedy[completion.problem]


def test_temperature_is_that_of_the_whole_distribution(ran: list[str]) -> None:
    model = small_model()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)  # away from a uniform distribution
        ids = torch.tensor([TOKENIZER(PROBLEMS[0].prompt)["input_ids"]])
        chance = (model(ids).logits[0, -1] / 2.0).softmax(-1)
    letters = {TOKENIZER.decode([i], skip_special_tokens=True): i for i in range(len(chance))}
    count = 4000
    completions = sample_completions(
        model, TOKENIZER, PROBLEMS[:1], count,
        temperature=2.0, max_new_tokens=1, batch_size=1000, allow=True,
    )  # fmt: skip
    for letter, index in letters.items():
        if len(letter) == 1:
            expected = float(chance[index])
            share = sum(completion.completion == letter for completion in completions) / count
            assert abs(share - expected) < 5 * (expected / count) ** 0.5 + 1e-9


def test_programs_really_run_and_pass_at_k_is_the_estimators(tmp_path: Path) -> None:
    completions = drawn(samples=2)
    assert [completion.reason for completion in completions] == ["passed"] * 2 + [
        "wrong answer"
    ] * 2
    assert pass_at_every_k(completions) == {1: 0.5, 2: 0.5}
    write_completions(tmp_path / "completions.parquet", completions)
    assert read_completions(tmp_path / "completions.parquet") == completions
    (tmp_path / "other.parquet").write_bytes(b"no such thing")
    with pytest.raises(DataError, match="holds no completions"):
        read_completions(tmp_path / "other.parquet")


def test_pass_at_k_counts_each_problems_own_completions() -> None:
    def completions_of(problem: str, passed: Sequence[bool]) -> list[Completion]:
        return [
            Completion(problem, i, "", "", ok, "passed" if ok else "timeout", "", 0.0, False)
            for i, ok in enumerate(passed)
        ]

    estimates = pass_at_every_k(
        completions_of("a", [True, False, False, True]) + completions_of("b", [False] * 3)
    )
    assert estimates == pytest.approx({k: pass_at_k(4, 2, k) / 2 for k in (1, 2, 3)})


def test_a_completion_that_goes_on_with_something_else_is_ended_and_cut(ran: list[str]) -> None:
    # A model that writes one letter of this after the other, and begins again.
    text = " one\n    \nassert one\n"
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    model = small_model(context=512)
    steps: list[int] = []

    def dictate(module: object, args: object, out: Any) -> None:
        steps.append(1)
        out.logits[...] = -1e9
        out.logits[:, -1, ids[(len(steps) - 1) % len(ids)]] = 0.0

    model.register_forward_hook(dictate)
    (completion,) = sample_completions(
        model, TOKENIZER, PROBLEMS[:1], 1, temperature=0.0, max_new_tokens=300, allow=True
    )
    assert TOKENIZER.decode(ids) == text
    assert completion.completion == " one\n    \n"
    assert len(steps) < 60


def test_a_prompt_is_cut_for_the_model_and_whole_in_the_program(ran: list[str]) -> None:
    model = small_model(context=32)
    completions = drawn(samples=1, model=model, temperature=0.0)
    assert [completion.truncated for completion in completions] == [
        len(p.prompt) > 20 for p in PROBLEMS
    ]
    assert [program.startswith(p.prompt) for program, p in zip(ran, PROBLEMS, strict=True)] == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"allow": False}, "run only if you allow it"),
        ({"samples": 0}, "samples is 0"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": 0.0}, "temperature 0 writes the same completion 3 times"),
        ({"max_new_tokens": 9999}, "max_new_tokens is 9999; it must be from 1 to"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    settings: dict[str, Any], sentence: str, ran: list[str]
) -> None:
    with pytest.raises(SettingError, match=sentence):
        drawn(**settings)
    assert ran == []


def test_problems_need_names_of_their_own(ran: list[str]) -> None:
    with pytest.raises(DataError, match="two code problems are named 'right'"):
        sample_completions(small_model(), TOKENIZER, PROBLEMS[:1] * 2, 1, allow=True)
    with pytest.raises(DataError, match="no code problem"):
        sample_completions(small_model(), TOKENIZER, [], 1, allow=True)


def test_right_solutions_of_humaneval_pass_as_completions(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cutting and stopping as a model's completion is takes nothing from a right answer."""
    problems = read_problems(shared / "general" / "humaneval.json")[:6]

    def solutions(*args: Any) -> list[str]:
        return [p.solution + "\ndef more():\n    pass\n" for p in problems for _ in range(2)]

    monkeypatch.setattr(completions, "generate", solutions)
    answered = sample_completions(small_model(), TOKENIZER, problems, 2, allow=True)
    assert pass_at_every_k(answered) == {1: 1.0, 2: 1.0}
