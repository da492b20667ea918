"""`fggm-lab run --methods self-kl` says in a sentence what it cannot draw from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import QUICK, CommandResult
from tests.support.families import character_tokenizer


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "has no end token"),
        (("--set", "self-kl.length=64"), "self-kl draws 64 tokens after 4 to begin with"),
        (("--set", "self-kl.per_step=0"), "per_step"),
    ],
)
def test_what_cannot_be_drawn_from_is_refused(
    call: Callable[..., CommandResult],
    model: Path,
    tasks: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    says: str,
) -> None:
    if not options:
        tokenizer = character_tokenizer()
        tokenizer.eos_token = None  # nor has it one to begin with
        tokenizer.save_pretrained(model)
    out = tmp_path / "runs"
    words = ("run", "--model", model, "--tasks", tasks, "--methods", "self-kl", "--out", out)
    assert says in call(*words, *QUICK, *options).refusal
