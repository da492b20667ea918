"""Writes data/code-mini; the same seed gives the same bytes.

python data/make_code.py
"""

from pathlib import Path

from fggm_lab.files import write_json
from fggm_lab.tasks.code import CODE_MINI, code_splits

DATA = Path(__file__).resolve().parent


def make(folder: Path = DATA, seed: int = 0) -> None:
    """Write `code-mini/<Skill>/<split>.json` into `folder`."""
    for skill, splits in code_splits(seed).items():
        for split, examples in splits.items():
            rows = [{"prompt": e.prompt, "answer": e.answer, "test": e.test} for e in examples]
            write_json(folder / CODE_MINI / skill / f"{split}.json", rows)


if __name__ == "__main__":
    make()
