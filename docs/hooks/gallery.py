"""The gallery: the Python of `docs/gallery.md` is run, and what its lines draw becomes pictures.

A block that ends in a figure has its picture below it on the page, a thumbnail at the page's top,
and the same picture at the figure's function on the page of `plots`. A registered figure without
a line, or a line that fails, fails the build.
"""

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from os import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import plotly.graph_objects as go
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from rooms import path_of

from fggm_lab.plots import FIGURES, caption_of
from fggm_lab.plots.svg import svg

GALLERY, PLOTS = "gallery.md", "api/plots.md"
FOLDER = "figures"
"""Where the pictures lie on the site."""

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
_THUMBNAILS = "<!-- thumbnails -->"
_FIGURE = re.compile(r"^<!-- figure: (\w+) -->$", re.M)
"""Where another page shows a picture of the gallery."""


@dataclass(frozen=True)
class Picture:
    """What one line of the gallery draws.

    Attributes:
        heading: what the figure is called.
        caption: made from its data.
        svg: the picture.
    """

    heading: str
    caption: str
    svg: str

    def html(self, name: str, root: str = "") -> str:
        """The picture as a figure of a page.

        Args:
            name: the function that drew it.
            root: the path from the page to the site's top.

        Returns:
            A `<figure>`.
        """
        image = f'<img src="{root}{FOLDER}/{name}.svg" alt="{escape(self.heading)}" loading="lazy">'
        return f"<figure>{image}<figcaption>{escape(self.caption)}</figcaption></figure>"


pictures: dict[str, Picture] = {}
"""Function → what it drew for this build."""


@contextmanager
def _empty_folder() -> Iterator[None]:
    """Work in a folder that is gone afterwards: the page's code writes a run."""
    before = Path.cwd()
    with TemporaryDirectory() as folder:
        chdir(folder)
        try:
            yield
        finally:
            chdir(before)


def figure_of(code: str, names: dict[str, Any]) -> tuple[str, go.Figure] | None:
    """Run a block of the page.

    Args:
        code: Python.
        names: those that blocks before it made; its own are added.

    Returns:
        If its last line calls a function that draws, the function's name and the figure.
    """
    tree = ast.parse(code)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, GALLERY, "exec"), names)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), GALLERY, "exec"), names)
    value = eval(compile(ast.Expression(last.value), GALLERY, "eval"), names)
    if not isinstance(value, go.Figure) or not isinstance(last.value, ast.Call):
        return None
    return ast.unparse(last.value.func).rpartition(".")[2], value


def drawn(markdown: str) -> dict[str, Picture]:
    """What the blocks of a page draw, one after the other.

    Args:
        markdown: the page's text.

    Returns:
        Function → its picture.

    Raises:
        PluginError: a block fails.
    """
    by_function: dict[str, Picture] = {}
    names: dict[str, Any] = {}
    with _empty_folder():
        for block in _BLOCK.findall(markdown):
            try:
                result = figure_of(block, names)
            except Exception as error:
                raise PluginError(f"{GALLERY}: {error!r} in\n{block}") from error
            if result is not None:
                name, figure = result
                by_function[name] = Picture(FIGURES[name].heading, caption_of(figure), svg(figure))
    return by_function


def with_pictures(markdown: str, by_function: dict[str, Picture]) -> str:
    """The gallery's text with a heading above each figure's block and its picture below."""

    def shown(block: re.Match[str]) -> str:
        last = block[1].rstrip().splitlines()[-1]
        name = re.match(r"lab\.plots\.(\w+)\(", last)
        if name is None or name[1] not in by_function:
            return block[0]
        picture = by_function[name[1]]
        where = path_of("plots", name[1])
        return (
            f"### [{picture.heading}][{where}] {{ #{name[1]} }}\n\n"
            f"{picture.html(name[1])}\n\n{block[0]}"
        )

    return _BLOCK.sub(shown, markdown).replace(_THUMBNAILS, thumbnails(by_function))


def thumbnails(by_function: dict[str, Picture]) -> str:
    """A grid of small pictures, each a link to its place on the page."""
    cells = (
        f'<a href="#{name}"><img src="{FOLDER}/{name}.svg" alt="" loading="lazy">'
        f"<span>{escape(picture.heading)}</span></a>"
        for name, picture in by_function.items()
    )
    return f'<div class="gallery">{"".join(cells)}</div>'


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Draw the pictures and add them to the site."""
    gallery = files.get_file_from_path(GALLERY)
    assert gallery is not None
    pictures.update(drawn(gallery.content_string))
    if missing := FIGURES.keys() - pictures.keys():
        raise PluginError(f"{GALLERY} has no line that draws {', '.join(sorted(missing))}")
    for name, picture in pictures.items():
        files.append(File.generated(config, f"{FOLDER}/{name}.svg", content=picture.svg))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the pictures into the gallery, and beside the functions that draw them."""
    if page.file.src_uri == GALLERY:
        return with_pictures(markdown, pictures)
    if _FIGURE.search(markdown):
        root = "../" * page.file.src_uri.count("/")
        markdown = _FIGURE.sub(lambda mark: pictures[mark[1]].html(mark[1], root), markdown)
    if page.file.src_uri == PLOTS:
        for name, picture in pictures.items():
            entry = f"::: {path_of('plots', name)}\n"
            link = f"[The line that draws it](../{GALLERY}#{name})"
            shown = f"{entry}\n{picture.html(name, '../')}\n\n{link}\n"
            markdown = f"{markdown}\n".replace(entry, shown)
    return markdown
