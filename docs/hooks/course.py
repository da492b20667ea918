"""The course as pages: the map, the teacher's page and every notebook, made from `notebooks/`.

A notebook's page holds its prose, its code and the text results that are stored in it; figures
are for whoever runs it. The notebook itself lies beside its page.
"""

import re
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
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
    shown = [_prose(cell) if cell.cell_type == "markdown" else _code(cell) for cell in cells]
    title, *rest = shown[0].split("\n", 1)
    note = (
        f"*A page of the [course]({_map_of(path)}), without its figures: `make lab` opens the "
        f'notebooks to run them. <a href="{path.name}" download>{path.name}</a>*'
    )
    return "\n\n".join([title, note, *rest, *shown[1:]])


def _map_of(path: Path) -> str:
    """The course's map, from a notebook's folder."""
    return "../README.md" if path.parent.parent == FOLDER else "README.md"


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
