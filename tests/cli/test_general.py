"""`fggm-lab general` measures what a run would, on skills of any kind, without training."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fggm_lab.evaluation import evaluate, lm_evaluation_harness
from fggm_lab.models import load_model
from fggm_lab.tasks import load_general
from tests.support.command_line import CommandResult


@pytest.fixture
def skills(tmp_path: Path) -> Path:
    """A skill of each kind."""
    folder = tmp_path / "skills"
    folder.mkdir()
    for name, items in {
        "pick": [
            {"prompt": "the ", "choices": ["dog", "fox"], "label": "fox"},
            {"prompt": "a ", "choices": ["cat", "dog"], "label": 0},
        ],
        "copy": [{"prompt": "a", "answer": "a"}],
        "sums": [{"prompt": "1+1", "answer": "so\n#### 2"}],
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(items))
    return folder


def test_it_measures_what_a_run_measures(
    call: Callable[..., CommandResult], model: Path, skills: Path
) -> None:
    words = ("general", "--model", model, "--on", skills, "--choices", "token")
    result = call(*words, "--json")
    assert result.status == 0
    measured = json.loads(result.out)
    network, tokenizer = load_model(str(model))
    ability = load_general(skills, choose="token")
    truth = evaluate(network, tokenizer, [], ability).general
    assert truth is not None
    assert measured["skills"] == truth.skills and list(measured["skills"]) == [
        "copy",
        "sums",
        "pick",
    ]
    assert measured["score"] == pytest.approx(sum(truth.skills.values()) / 3)
    result = call(*words, "--limit", 1)
    assert result.status == 0
    assert "mean of skills (choices by token)" in " ".join(result.out.split())


def test_it_measures_the_loss_of_a_text(
    call: Callable[..., CommandResult], model: Path, tmp_path: Path
) -> None:
    (tmp_path / "story.txt").write_text("the dog and the cat. " * 9)
    result = call("general", "--model", model, "--on", tmp_path / "story.txt", "--json")
    assert result.status == 0
    measured = json.loads(result.out)
    assert measured["score"] > 1 and measured["name"].startswith("held-out loss")


@pytest.mark.parametrize("allow", [False, True])
def test_a_skill_with_tests_runs_its_programs_if_allowed_and_says_so(
    allow: bool, call: Callable[..., CommandResult], model: Path, tmp_path: Path
) -> None:
    # Whatever follows the sign is a comment, so that the program passes.
    item = {"prompt": "def f():\n    return 1 #", "answer": " one", "test": "assert f() == 1"}
    (tmp_path / "code.json").write_text(json.dumps([item]))
    permission = ["--allow-code-execution"] if allow else []
    result = call(
        "general", "--model", model, "--on", tmp_path / "code.json", "--json", *permission
    )
    assert result.status == 0
    assert json.loads(result.out)["skills"] == {"code": 1.0 if allow else 0.0}
    how = "by running programs" if allow else "by exact match of the text"
    assert f"code (General): scored {how}" in result.err


BROKEN = {
    "both": (("--on", "trace-mini", "--harness", "trace"), "exclude each other"),
    "code": (("--harness", "x", "--allow-code-execution"), "leave it out with --harness"),
    "no harness": (("--include", "."), "--include goes with --harness"),
    "no harness for a chat": (("--chat",), "--chat goes with --harness"),
    "no such way": (("--choices", "chars"), "choices cannot be made by 'chars'"),
    "no such skills": (("--on", "./nowhere"), "nowhere"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_one_sentence(
    name: str, call: Callable[..., CommandResult], model: Path
) -> None:
    wrong, sentence = BROKEN[name]
    assert sentence in call("general", "--model", model, *wrong).refusal


def test_the_names_of_harness_tasks_may_stand_apart(
    call: Callable[..., CommandResult], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names_only(network: Any, tokenizer: Any, names: list[str], **settings: Any) -> object:
        return {"score": 0.0, "skills": dict.fromkeys(names, 0.0)}

    monkeypatch.setattr(lm_evaluation_harness, "harness_general", names_only)
    result = call("general", "--model", model, "--harness", "boolq, piqa", "--json")
    assert list(json.loads(result.out)["skills"]) == ["boolq", "piqa"]
