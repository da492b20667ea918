"""Runs the course's notebooks and keeps the pictures they draw: `make course-pictures`.

The pages of the course show them. Each notebook leaves a folder of SVG files, and beside it a JSON
file: the cell each picture stands below, the cell's code at that time, and the picture in words.

python docs/make_course_pictures.py [stem of a notebook …]
"""

import re
import shutil
import sys
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat
from nbclient import NotebookClient

from fggm_lab.files import write_json, write_text

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "course-pictures"

_STATIC = re.compile(
    r'<div class="fggm-static [^"]*"><img src="data:image/svg\+xml,([^"]*)"[^>]*>(?:<p>(.*?)</p>)?',
    re.S,
)
_TEXTS = '<div class="fggm-texts"'
_PARAGRAPH = re.compile(r"<p\b[^>]*>(.*?)</p>", re.S)


def pictures_below(cell: Any) -> list[tuple[str, str]]:
    """The still pictures among a cell's outputs.

    Args:
        cell: of a notebook that was run.

    Returns:
        For each its SVG and its words.
    """
    pictures, words_above = [], ""
    for output in cell.get("outputs", ()):
        page = output.get("data", {}).get("text/html", "")
        if page.startswith(_TEXTS):  # the title, the caption, the description
            words_above = " ".join(_PARAGRAPH.findall(page)[1:])
        for data, words in _STATIC.findall(page):
            pictures.append((unquote(data), unescape(words or words_above)))
    return pictures


def keep_pictures(notebook: Any, folder: Path) -> int:
    """Write the pictures of a notebook that was run.

    Args:
        notebook: with its outputs.
        folder: of its pictures; replaced.

    Returns:
        How many there are.
    """
    shutil.rmtree(folder, ignore_errors=True)
    cells = []
    for cell in notebook.cells:
        pictures = pictures_below(cell)
        names = [f"{cell.id}-{number}.svg" for number in range(1, len(pictures) + 1)]
        for name, (svg, _) in zip(names, pictures, strict=True):
            folder.mkdir(parents=True, exist_ok=True)
            write_text(folder / name, svg)
        if pictures:
            cells.append(
                {
                    "cell": cell.id,
                    "source": cell.source,
                    "pictures": [
                        {"file": name, "words": words}
                        for name, (_, words) in zip(names, pictures, strict=True)
                    ],
                }
            )
    write_json(folder.with_suffix(".json"), {"cells": cells})
    return sum(len(cell["pictures"]) for cell in cells)


def main() -> None:
    """Run the notebooks and keep their pictures."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        if sys.argv[1:] and path.stem not in sys.argv[1:]:
            continue
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook, timeout=None, resources={"metadata": {"path": path.parent}}
        )
        client.execute()
        print(f"{path.stem}: {keep_pictures(notebook, FOLDER / path.stem)} pictures", flush=True)


if __name__ == "__main__":
    main()
