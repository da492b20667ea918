"""A model and tasks in folders, as a user of the command line has them."""

from pathlib import Path

import pytest

from tests.support.command_line import write_task
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
