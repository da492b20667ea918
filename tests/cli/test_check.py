"""`fggm-lab check` on models in folders, as a user has them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.families import tiny_family
from fggm_lab.models import load_model
from tests.support.command_line import CommandResult

RIGHT = (
    "llama", "qwen2", "gpt2", "opt", "gemma", "mistral", "bloom", "roberta", "qwen3_moe", "mamba",
)  # fmt: skip


def saved(family: str, folder: Path) -> Path:
    """A tiny model of a family with the shipped tokenizer, as a Hugging Face folder."""
    _, tokenizer = load_model()
    tiny_family(family, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("family", RIGHT)
def test_ten_families_are_right(
    family: str, call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    result = call("check", saved(family, tmp_path / family), "--json")
    assert result.status == 0, result.out
    report = json.loads(result.out)
    assert report["ok"] and len(report["findings"]) >= 5


def test_a_model_that_sees_the_answer_exits_with_status_1(
    call: Callable[..., CommandResult], tmp_path: Path
) -> None:
    result = call("check", saved("xlnet", tmp_path / "xlnet"))
    assert result.status == 1
    assert "XLNetLMHeadModel" in result.out and "wrong" in result.out
