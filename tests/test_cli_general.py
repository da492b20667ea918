"""`fggm-lab general` measures what a run would, on skills of any kind, without training."""

import json
from pathlib import Path

import pytest

from fggm_lab.models import load_model
from fggm_lab.tasks import load_general
from fggm_lab.training import evaluate
from tests.test_cli import call, model, said_in_one_sentence

__all__ = ["model"]


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
    model: Path, skills: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("general", "--model", model, "--on", skills, "--choices", "token")
    assert call(monkeypatch, *asked, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    network, tokenizer = load_model(str(model))
    ability = load_general(skills, choose="token")
    truth = evaluate(network, tokenizer, [], ability, split="test", max_length=64)["general"]
    assert found["skills"] == truth["skills"] and list(found["skills"]) == ["copy", "sums", "pick"]
    assert found["score"] == pytest.approx(sum(truth["skills"].values()) / 3)
    assert call(monkeypatch, *asked, "--limit", 1) == 0
    assert "mean of skills (choices by token)" in " ".join(capsys.readouterr().out.split())


def test_it_measures_the_loss_of_a_text(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "story.txt").write_text("the dog and the cat. " * 9)
    assert (
        call(monkeypatch, "general", "--model", model, "--on", tmp_path / "story.txt", "--json")
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["score"] > 1 and found["name"].startswith("held-out loss")


BROKEN = {
    "both": (("--on", "trace-mini", "--harness", "trace"), "exclude each other"),
    "no harness": (("--include", "."), "--include goes with --harness"),
    "no such way": (("--choices", "chars"), "choices cannot be made by 'chars'"),
    "no such skills": (("--on", "./nowhere"), "nowhere"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_one_sentence(
    name: str, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong, sentence = BROKEN[name]
    assert call(monkeypatch, "general", "--model", model, *wrong) == 2
    said_in_one_sentence(capsys, sentence)
