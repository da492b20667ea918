"""Where the repository's files lie on the site, and links that hold in both.

Pages are written with links that work in the repository (`../../notebooks/README.md`); on the
site the same files lie elsewhere, or are not part of it. Such links are changed here.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
README = "README.md"
"""Its place on the site is taken by a page with other headings."""
NAMED = {
    README: "index.md",
    "notebooks/README.md": "course/index.md",
    "notebooks/TEACHING.md": "course/teaching.md",
}
"""Files of the repository that are pages under another name."""

_LINK = re.compile(
    r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)"
)


def page_of(file: str) -> str | None:
    """The page of a file of the repository; None if the site has none.

    Args:
        file: its path from the repository's root, with slashes.

    Returns:
        The page's path below `docs`, with slashes.
    """
    path = PurePosixPath(file)
    if file in NAMED:
        return NAMED[file]
    if path.parts[0] == "docs":
        return str(path.relative_to("docs"))
    if path.parts[0] == "notebooks" and path.suffix == ".ipynb":
        return str("course" / path.relative_to("notebooks").with_suffix(".md"))
    return None


def file_of(page: str) -> str:
    """The file of the repository that a page was made from."""
    for file, named in NAMED.items():
        if named == page and not (ROOT / "docs" / page).exists():
            return file
    path = PurePosixPath(page)
    if path.parts[0] == "course":
        return str("notebooks" / path.relative_to("course").with_suffix(".ipynb"))
    return f"docs/{page}"


def relinked(markdown: str, page: str) -> str:
    """A page's text with every link to a file of the repository made one within the site.

    A link to a file, or a heading, that the site does not have leaves its text. One to a file that
    is nowhere stays, for the strict build to report.

    Args:
        markdown: the page's text.
        page: its path below `docs`, with slashes.

    Returns:
        The text with its links changed.
    """
    folder = PurePosixPath(file_of(page)).parent

    def change(link: re.Match[str]) -> str:
        file = normpath(str(folder / link["target"]))
        if not (ROOT / file).exists():
            return link[0]
        target_page = page_of(file)
        if target_page is None or (file == README and link["anchor"]):
            return link["text"]
        target = relpath(target_page, str(PurePosixPath(page).parent))
        return f"{link['image']}[{link['text']}]({target}{link['anchor'] or ''})"

    return _LINK.sub(change, markdown)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Change a page's links as it is read."""
    return relinked(markdown, page.file.src_uri)
