"""What the command line is called with in tests, and what it came to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.families import some_examples

QUICK: tuple[object, ...] = (
    "--epochs", 1, "--limit", 8, "--batch-size", 4, "--points", 2, "--lr", "1e-2",
)  # fmt: skip
"""Options with which a run of two small tasks takes seconds."""


Asking = Callable[..., tuple[object, ...]]
"""Makes the words of a command from its folder and further options."""


@dataclass(frozen=True)
class CommandResult:
    """What a command came to: its exit status, and what it printed to either stream."""

    status: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one sentence in which it says what was wrong."""
        assert self.status == 2, self
        assert self.err.startswith("error: ") and self.err.count("\n") == 1, self.err
        return self.err


def write_task(folder: Path, **splits: Any) -> Path:
    """A task folder; every split is ten examples unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, split in enumerate(("train", "eval", "test")):
        rows = [{"prompt": e.prompt, "answer": e.answer} for e in some_examples(10, seed=at)]
        content = splits.get(split, rows)
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{split}.json").write_text(text, encoding="utf-8")
    return folder
