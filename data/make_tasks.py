"""Writes data/trace-mini and data/general; the same seed gives the same bytes.

python data/make_tasks.py
"""

from collections.abc import Sequence
from pathlib import Path

from fggm_lab.files import write_json
from fggm_lab.tasks import Example
from fggm_lab.tasks.trace_mini import general_splits, task_splits

DATA = Path(__file__).resolve().parent


def _rows(examples: Sequence[Example]) -> list[dict[str, str]]:
    return [{"prompt": example.prompt, "answer": example.answer} for example in examples]


def make(folder: Path = DATA, seed: int = 0) -> None:
    """Write `trace-mini/<Task>/<split>.json` and `general/<split>/<skill>.json` into `folder`."""
    for task, splits in task_splits(seed).items():
        for split, examples in splits.items():
            write_json(folder / "trace-mini" / task / f"{split}.json", _rows(examples))
    for skill, splits in general_splits(seed).items():
        for split, examples in splits.items():
            write_json(folder / "general" / split / f"{skill}.json", _rows(examples))


if __name__ == "__main__":
    make()
