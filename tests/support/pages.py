"""The pages people read, and the code quoted in them."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.md")),
]

_FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced piece of code.

    Attributes:
        page: its path from the repository's root.
        language: after the fence; empty for what is typed into a shell.
        title: the file it is meant to be, if it says so.
    """

    page: str
    language: str
    title: str
    code: str


def blocks(*languages: str) -> list[Block]:
    """Every fenced piece of code in one of these languages."""
    return [
        Block(str(path.relative_to(ROOT)), *match)
        for path in PAGES
        for match in _FENCE.findall(path.read_text(encoding="utf-8"))
        if match[0] in languages
    ]


def inline() -> list[tuple[str, str]]:
    """Every piece of code inside a line of prose: (page, code)."""
    return [
        (str(path.relative_to(ROOT)), code)
        for path in PAGES
        for code in re.findall(r"`([^`\n]+)`", _FENCE.sub("", path.read_text(encoding="utf-8")))
    ]
