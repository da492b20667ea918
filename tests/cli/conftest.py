"""A model and tasks in folders, as a user of the command line has them."""

from pathlib import Path

import pytest

from tests.support.command_line import QUICK, Asking, write_task
from tests.support.families import character_tokenizer
from tests.support.small import small_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A tiny model with its tokenizer, as a Hugging Face folder."""
    folder = tmp_path / "model"
    small_model().save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Two tasks in TRACE's layout."""
    for name in ("FOMC", "mine"):
        write_task(tmp_path / "tasks" / name)
    return tmp_path / "tasks"


@pytest.fixture
def asking(model: Path, tasks: Path) -> Asking:
    """A sweep's words on a small model and two tasks, given its folder and further options."""

    def words(out: Path, *more: object) -> tuple[object, ...]:
        named = ("--model", model, "--tasks", tasks, "--out", out)
        return ("sweep", *named, *QUICK, "--limit", 4, "--points", 0, *more)

    return words
