"""A room's page: what it is, a table of the names it offers, and each from its docstring.

A page asks for it with a line `<!-- room: fisher -->`.
"""

import re
from functools import cache
from importlib import import_module

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROOMS = (
    "tasks", "models", "fisher", "masks", "methods", "settings", "evaluation", "training", "runs",
    "plots", "tables", "attribution", "widgets", "report", "course", "errors",
)  # fmt: skip
"""The rooms that have a page `api/<room>.md`."""

_MARK = re.compile(r"^<!-- room: (\w+) -->$", re.M)


@cache
def public(room: str) -> tuple[str, ...]:
    """The names a room offers."""
    module = import_module(f"fggm_lab.{room}")
    defined_here = [
        n
        for n, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__
    ]
    return tuple(getattr(module, "__all__", defined_here))


@cache
def path_of(room: str, name: str) -> str:
    """Where a name is documented: a function or class where it is defined, a constant in its room.

    A function may share its name with the module it is defined in, so that `fggm_lab.tasks.audit`
    could mean either.

    Args:
        room: a room of the package.
        name: one of the names it offers.

    Returns:
        Its full path, such as `fggm_lab.tasks.audit.audit`.
    """
    value = getattr(import_module(f"fggm_lab.{room}"), name)
    home = getattr(value, "__module__", None) if callable(value) else None
    return f"{home}.{name}" if home and home.startswith("fggm_lab.") else f"fggm_lab.{room}.{name}"


@cache
def _sources() -> griffe.Object:
    package = griffe.load("fggm_lab", resolve_aliases=True)
    assert isinstance(package, griffe.Object)
    return package


def sentence(docstring: str) -> str:
    """What a docstring begins with, up to the first full stop."""
    paragraph = " ".join(docstring.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[a-z\d)`])\.(?= [A-Z`]|$)", paragraph)[0]


def about(room: str, name: str) -> str:
    """A public name in one sentence."""
    source = _sources()[path_of(room, name).removeprefix("fggm_lab.")]
    return sentence(source.docstring.value) if source.docstring else ""


def room_page(room: str) -> str:
    """The page in Markdown, for mkdocstrings to fill."""
    lines = [sentence(import_module(f"fggm_lab.{room}").__doc__ or "") + ".", ""]
    lines += ["| name | what it is |", "| --- | --- |"]
    paths = {name: path_of(room, name) for name in public(room)}
    lines += [f"| [`{name}`][{path}] | {about(room, name)} |" for name, path in paths.items()]
    for path in paths.values():
        lines += ["", f"::: {path}"]
    return "\n".join(lines)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the room in where its page asks for it."""
    return _MARK.sub(lambda mark: room_page(mark[1]), markdown)
