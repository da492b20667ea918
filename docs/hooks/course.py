"""The course as pages: the map, the teacher's page and every notebook, made from `notebooks/`.

A notebook's page holds its prose, its code, the text results that are stored in it, and still
pictures of its figures as `make course-pictures` last drew them. The notebook itself lies beside
its page.
"""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
PICTURES = ROOT / "docs" / "course-pictures"
PAGES = {"README.md": "index.md", "TEACHING.md": "teaching.md"}

IGNORE = "# NBVAL_IGNORE_OUTPUT\n"
"""What tells nbval not to compare a cell's output, and a reader nothing."""

INSTALL = "install"
"""The tag of the cell that installs the lab where it is missing, which a page leaves out."""


def notebooks() -> list[Path]:
    """The notebooks, in the course's order; after them those in other languages."""
    return sorted(FOLDER.glob("*.ipynb")) + sorted(FOLDER.glob("*/*.ipynb"))


def _page(path: Path) -> str:
    """A notebook's page, from the folder of the documentation."""
    return f"course/{path.relative_to(FOLDER).with_suffix('.md').as_posix()}"


def as_markdown(path: Path) -> str:
    """A notebook as one page."""
    every_cell = nbformat.read(path, as_version=4).cells
    cells = [cell for cell in every_cell if INSTALL not in cell.metadata.get("tags", [])]
    top = "../" if path.parent.parent == FOLDER else ""  # of the course; a translation lies below
    pictures = stored_pictures(path.stem, f"{top}../{PICTURES.name}/{path.stem}")
    shown = [
        _prose(cell)
        if cell.cell_type == "markdown"
        else _code(cell) + pictures.get(cell.source, "")
        for cell in cells
    ]
    title, *rest = shown[0].split("\n", 1)
    note = (
        f"*A page of the [course]({top}README.md), its figures as still pictures: `make lab` opens "
        f'the notebooks to run them. <a href="{path.name}" download>{path.name}</a>*'
    )
    return "\n\n".join([title, note, *rest, *shown[1:]])


def stored_pictures(stem: str, address: str, folder: Path = PICTURES) -> dict[str, str]:
    """The pictures of a notebook as they were last drawn.

    Args:
        stem: the notebook's name.
        address: of the folder of pictures, from the page.
        folder: where `docs/make_course_pictures.py` wrote them.

    Returns:
        The code that drew them → HTML to stand below it. Code that was changed since has none.
    """
    record = folder / f"{stem}.json"
    if not record.exists():
        return {}
    cells = json.loads(record.read_text(encoding="utf-8"))["cells"]
    return {
        cell["source"]: "".join(_figure(address, picture) for picture in cell["pictures"])
        for cell in cells
    }


def _figure(address: str, picture: dict[str, str]) -> str:
    words = escape(" ".join(picture["words"].split()))
    source = f"{address}/{picture['file']}"
    return (
        f'\n\n<figure><img src="{source}" alt="A figure, described below" loading="lazy">'
        f"<figcaption>{words}</figcaption></figure>"
    )


def _prose(cell: Any) -> str:
    text = str(cell.source)
    return re.sub(r"<details>", '<details markdown="1">', text)


def _code(cell: Any) -> str:
    parts = [_block("python", str(cell.source).removeprefix(IGNORE))]
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain")
        if text:
            parts.append(_block("text", str(text).rstrip("\n")))
    return "\n\n".join(parts)


def _block(language: str, text: str) -> str:
    return f"````{language}\n{text}\n````"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the course's pages into the navigation, before each notebook that of its idea."""
    pages = [f"course/{page}" for name, page in PAGES.items() if (FOLDER / name).exists()]
    for path in notebooks():
        idea = f"ideas/{path.stem}.md"
        pages += [idea, _page(path)] if path.parent == FOLDER else [_page(path)]
    for entry in config.nav or []:
        if "Course" in entry:
            entry["Course"] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the course's pages, and the notebooks as files."""
    for name, page in PAGES.items():
        path = FOLDER / name
        if path.exists():
            text = path.read_text(encoding="utf-8")
            files.append(File.generated(config, f"course/{page}", content=text))
    for path in notebooks():
        page = _page(path)
        files.append(File.generated(config, page, content=as_markdown(path)))
        notebook = page.removesuffix(".md") + path.suffix
        files.append(File.generated(config, notebook, abs_src_path=str(path)))
    return files
