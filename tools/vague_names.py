"""Count names that do not say what they hold: `python tools/vague_names.py FOLDER …`.

A name is counted each time the code binds it: an assignment, a loop, a `with`, a comprehension, a
parameter, a function, a class. A vague one consists of nothing but words of `VAGUE` (`found`,
`the_one`, `_kept`).
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

VAGUE = frozenset(
    """asked each few found given gone got here it its kept known made many met much one own place
    places said seen some stuff taken the there thing things told wanted whole""".split()  # noqa: SIM905
)
"""Words that could stand for anything."""


class Binding(NamedTuple):
    """A name that the code binds, and where."""

    name: str
    path: Path
    line: int


def bindings(path: Path) -> Iterator[Binding]:
    """Every name that a Python file binds, attributes of `self` included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield Binding(node.id, path, node.lineno)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield Binding(node.attr, path, node.lineno)
        elif isinstance(node, ast.arg):
            yield Binding(node.arg, path, node.lineno)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield Binding(node.name, path, node.lineno)


def is_vague(name: str) -> bool:
    """Whether a name has only words of `VAGUE`."""
    words = [word for word in name.lower().split("_") if word]
    return bool(words) and VAGUE.issuperset(words)


def all_bindings(folder: Path) -> list[Binding]:
    """The bindings of a file, or of every Python file of a folder."""
    files = [folder] if folder.is_file() else sorted(folder.rglob("*.py"))
    return [binding for path in files for binding in bindings(path)]


def main(folders: list[str]) -> None:
    """Print the share of vague names in each folder, the most frequent, and where they are."""
    for folder in folders:
        names = all_bindings(Path(folder))
        vague = [binding for binding in names if is_vague(binding.name)]
        share = len(vague) / max(1, len(names))
        print(f"{folder}: {len(vague)} of {len(names)} bound names are vague ({share:.2%})")
        print(
            "  "
            + ", ".join(f"{n} × {c}" for n, c in Counter(b.name for b in vague).most_common(20))
        )
        for binding in vague if len(vague) <= 40 else []:
            print(f"  {binding.path}:{binding.line}: {binding.name}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["fggm_lab"])
