"""Task folders in TRACE's layout, whole or broken."""

import json
from pathlib import Path
from typing import Any

GOOD = [{"prompt": "p1", "answer": "a1"}, {"prompt": "p2", "answer": "a2", "more": 3}]


def write_task(folder: Path, **splits: Any) -> Path:
    """A task in TRACE's layout, two examples in each split unless given: items, or a file's text.

    A split that is None has no file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split, items in {"train": GOOD, "eval": GOOD, "test": GOOD, **splits}.items():
        if items is not None:
            text = items if isinstance(items, str) else json.dumps(items)
            (folder / f"{split}.json").write_text(text, encoding="utf-8")
    return folder
