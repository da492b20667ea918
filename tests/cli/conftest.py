"""A model and tasks in folders, as a user of the command line has them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.families import character_tokenizer, some_examples
from tests.support.small import small_model

QUICK = ("--epochs", 1, "--limit", 8, "--batch-size", 4, "--points", 2, "--lr", "1e-2")


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


def write_task(folder: Path, **splits: Any) -> Path:
    """A task folder; every split is ten examples unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, split in enumerate(("train", "eval", "test")):
        rows = [{"prompt": e.prompt, "answer": e.answer} for e in some_examples(10, seed=at)]
        content = splits.get(split, rows)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{split}.json").write_text(text, encoding="utf-8")
    return folder
