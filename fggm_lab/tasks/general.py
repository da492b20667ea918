"""General ability: what the model could do before, measured on skills or as loss on a text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fggm_lab.errors import DataError
from fggm_lab.tasks.reader import read_examples
from fggm_lab.tasks.records import Example
from fggm_lab.tasks.shipped import SHIPPED, data_folder


@dataclass(frozen=True)
class General:
    """What general ability is measured on: either skills or one text.

    Attributes:
        name: a short name for tables.
        source: where it came from, as the user named it.
        skills: skill name -> its examples; General is the mean of the skills' accuracies. Empty
            where `text` is given.
        text: General is the held-out loss per token of this text; None where skills are given.
        better: whether a higher or a lower General is better.
    """

    name: str
    source: str
    skills: dict[str, tuple[Example, ...]]
    text: str | None
    better: Literal["higher", "lower"]


def load_general(source: str | Path, split: str = "test") -> General:
    """Load what general ability is measured on.

    Args:
        source: `"trace-mini"` (the shipped skills); a folder of JSON files, each a skill; one JSON
            file (a list of `{"prompt", "answer"}`); or a UTF-8 text file, any other suffix.
        split: where the folder has a sub-folder of this name (`eval` to choose settings, `test` to
            report), the skills are read from there.

    Raises:
        DataError: it does not exist, holds no skill, or a file is broken or empty.
    """
    path = data_folder("general") if str(source) == SHIPPED else Path(source).expanduser()
    if not path.exists():
        raise DataError(
            f"there is no file or folder {path} to measure general ability on; check the path, or "
            f"use '{SHIPPED}'"
        )
    name = SHIPPED if str(source) == SHIPPED else path.resolve().stem
    if path.is_dir():
        path = path / split if (path / split).is_dir() else path
        files = sorted(file for file in path.glob("*.json") if not file.name.startswith("."))
        if not files:
            raise DataError(
                f"{path} holds no JSON file; put one file per skill there, each a list of "
                '{"prompt": ..., "answer": ...}'
            )
        skills = {file.stem: read_examples(file) for file in files}
        return General(name, str(source), skills, None, "higher")
    if path.suffix.lower() == ".json":
        return General(name, str(source), {path.stem: read_examples(path)}, None, "higher")
    return General(name, str(source), {}, _read_text(path), "lower")


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text; convert it to UTF-8") from None
    except OSError as problem:
        raise DataError(
            f"{path} cannot be read: {problem.strerror}; check its permissions"
        ) from None
    if not text.strip():
        raise DataError(f"{path} is empty; name a text with at least a few sentences")
    return text
