"""`fggm-lab real`: a chat model on the shipped real tasks; what is given overrides its preset."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fggm_lab.runs import Run
from fggm_lab.settings import TrainingSettings
from fggm_lab.tasks import load_tasks
from fggm_lab.training.presets import preset
from tests.support.command_line import CommandResult
from tests.support.families import character_tokenizer, tiny_model

TEMPLATE = (
    "{% for m in messages %}{{ m.role + ': ' + m.content + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def model_folder(folder: Path, chat_template: str | None) -> Path:
    """A small Llama whose tokenizer has the chat template."""
    tiny_model("llama").float().save_pretrained(folder)
    tokenizer = character_tokenizer()
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(folder)
    return folder


QUICK = ("--limit", 2, "--epochs", 1, "--max-new-tokens", 2, "--max-length", 200)


def test_a_chat_model_learns_the_real_tasks_and_gets_a_report(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    model = model_folder(tmp_path / "model", TEMPLATE)
    words = ("real", "--model", model, "--methods", "sft,fggm", "--out", tmp_path / "out", *QUICK)
    result = call(*words)
    assert result.status == 0, result.out
    assert "tasks real-mini ours: short prompts" in " ".join(result.out.split())
    for method in ("sft", "fggm"):
        run = Run.open(tmp_path / "out" / method)
        assert run.finished and run.config.task_names == ["CLINC150", "NL2Bash", "SVAMP"]
        assert (run.config.preset, run.config.tasks, run.config.general) == (
            "real", "real-mini", "real-texts",
        )  # fmt: skip
        assert (
            run.config.training.lr == preset("real").settings.lr and run.config.training.epochs == 1
        )
    assert (tmp_path / "out" / "report.html").exists()
    assert call(*words, "--resume").status == 0
    [prediction, *_] = Run.open(tmp_path / "out" / "sft").predictions(0)
    assert prediction.prompt == load_tasks("real-mini")["CLINC150"].test[0].prompt


def test_a_model_without_a_chat_template_reads_plain_prompts_on_request(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    model = model_folder(tmp_path / "model", None)
    words = ("--model", model, "--tasks", "real-mini", "--methods", "sft", *QUICK)
    refused = call("run", "--chat", *words, "--out", tmp_path / "chat")
    assert "the tokenizer has no chat template" in refused.refusal
    assert call("run", *words, "--out", tmp_path / "plain").status == 0


def test_the_help_shows_the_defaults_that_are_used(
    call: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("NO_COLOR", "1")
    shown = call("real", "--help").out
    expected = {
        "--model": "smollm2", "--tasks": "real-mini", "--chat": "chat", "--lr": "0.0002",
        "--epochs": "0.6", "--batch-size": "8", "--methods": "sft,fggm,random,self-kl",
        "--score-unlearned": "no-score-unlearned", "--general": "real-texts",
        "--max-new-tokens": "CLINC150=6,NL2Bash=32,SVAMP=16",
    }  # fmt: skip
    for option, default in expected.items():
        [described] = re.findall(rf"{option} .*\n.*?\[default: (.*?)\]", shown)
        assert described == default, option
    described = re.findall(r"--lr .*\n.*?\[default: (.*?)\]", call("run", "--help").out)
    assert described == [str(TrainingSettings().lr)]


def test_a_base_model_learns_the_real_tasks_without_a_chat_template(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    model = model_folder(tmp_path / "model", None)
    words = ("--model", model, "--no-chat", "--general", "none", "--methods", "sft", *QUICK)
    result = call("real", *words, "--out", tmp_path / "out")
    assert result.status == 0, result.err
    assert "chat false given" in " ".join(result.out.split())


@pytest.mark.parametrize("name", ["real", "run"])
def test_what_is_missing_is_said_before_anything_is_written(
    call: Callable[..., CommandResult], tmp_path: Path, name: str
) -> None:
    missing = tmp_path / "no-model"
    assert str(missing) in call(name, "--model", missing, "--out", tmp_path / "out").refusal
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("chat", [True, False])
def test_plain_prompts_to_a_model_with_a_chat_template_are_warned_of_once(
    call: Callable[..., CommandResult], tmp_path: Path, recwarn: pytest.WarningsRecorder, chat: bool
) -> None:
    words = ("--model", model_folder(tmp_path / "model", TEMPLATE), *(["--chat"] if chat else []))
    more = ("--tasks", "real-mini", "--methods", "sft,random", *QUICK)
    assert call("run", *words, *more, "--out", tmp_path / "out").status == 0
    warned = [
        str(warning.message) for warning in recwarn if "chat template" in str(warning.message)
    ]
    assert len(warned) == (0 if chat else 1)
    assert chat or "give --chat" in warned[0]


@pytest.mark.parametrize("chat", [True, False])
def test_the_audit_warns_of_plain_prompts_too(
    call: Callable[..., CommandResult], tmp_path: Path, recwarn: pytest.WarningsRecorder, chat: bool
) -> None:
    words = ("--model", model_folder(tmp_path / "model", TEMPLATE), *(["--chat"] if chat else []))
    audit = ("audit", "real-mini", "--examples", 1, "--max-new-tokens", 1)
    assert call(*audit, *words).status == 0
    warned = [warning for warning in recwarn if "has a chat template" in str(warning.message)]
    assert len(warned) == (0 if chat else 1)
