"""The page's JavaScript and style: small files here, one module in a page."""

import functools
import re
from pathlib import Path

from fggm_lab.plots.theme import PAGE_STYLE

_FOLDER = Path(__file__).parent / "page"
_IMPORT = re.compile(r'^(?:im|ex)port \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


@functools.cache
def module(name: str) -> str:
    """A file of the page with all that it imports, as one ES module.

    The files share one scope then, so a name stands for one thing in all of them; a second
    declaration would be a syntax error of the whole module.

    Args:
        name: of a file in `page`, such as `widget.js`.

    Returns:
        The source; of its exports only a default one is left.
    """
    parts: dict[str, str] = {}
    _collect(name, parts)
    return "\n".join(parts.values())


def _collect(name: str, parts: dict[str, str]) -> None:
    """Add a file's source after those of the files it imports, each once."""
    source = (_FOLDER / name).read_text(encoding="utf-8")
    for imported in _IMPORT.findall(source):
        if imported not in parts:
            _collect(imported, parts)
    parts[name] = _EXPORT.sub("", _IMPORT.sub("", source))


def style() -> str:
    """The style sheet of the explorer and of its figures."""
    return (_FOLDER / "explorer.css").read_text(encoding="utf-8") + PAGE_STYLE
