"""Code that names something public becomes a link to where it is documented.

`lab.fisher_scores`, `Mask.top(…)`, `fggm_lab.plots.export` and `fggm-lab run` are found wherever a
page or a docstring mentions them in code style.
"""

import re
from html import unescape
from importlib import import_module

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from rooms import ROOMS, path_of, public

import fggm_lab

_APART = re.compile(r"(<pre.*?</pre>|<a\b.*?</a>|<autoref.*?</autoref>|<h\d.*?</h\d>)", re.S)
"""Where a link would be wrong, or there is one."""
_CODE = re.compile(r"<code>([^<]+)</code>")
_NAME = re.compile(
    r"(?P<package>(?:lab|fggm_lab)\.)?(?:(?P<room>[a-z]+)\.)?"
    r"(?P<name>\w+)(?:\.(?P<member>\w+))?(?P<call>\(.*\))?"
)
_COMMAND = re.compile(r"fggm-lab (\w+)")


def identifier(code: str, own_room: str | None = None) -> str | None:
    """What a piece of code names, as the API pages know it.

    Args:
        code: such as `Run.open` or `lab.Mask.top(scores, keep=0.3)`.
        own_room: the room of the page it stands on, which goes first where two have such a name.

    Returns:
        The identifier, such as `fggm_lab.runs.run.Run.open`; None if it names nothing public.
    """
    if command := _COMMAND.match(code):
        return f"fggm-lab-{command[1]}"
    match = _NAME.fullmatch(code)
    if match is None or _is_a_word(match):
        return None
    home = _home(match["name"], match["room"], bool(match["package"]), own_room)
    if home is None:
        return None
    path, member = path_of(home, match["name"]), match["member"]
    if member is None:
        return path
    value = getattr(import_module(f"fggm_lab.{home}"), match["name"])
    return f"{path}.{member}" if callable(getattr(value, member, None)) else None


def _is_a_word(match: re.Match[str]) -> bool:
    """Whether code is a mere word, `keep` or `general`, that only happens to be a name, too."""
    bare = not any(match[part] for part in ("package", "room", "member", "call"))
    return bare and match["name"].islower() and "_" not in match["name"]


def _home(name: str, room: str | None, packaged: bool, own_room: str | None) -> str | None:
    """The one room that is meant."""
    homes = [candidate for candidate in ROOMS if name in public(candidate)]
    if room is not None:
        homes = [candidate for candidate in homes if candidate == room]
    elif packaged:
        homes = [candidate for candidate in homes if candidate == fggm_lab._HOMES.get(name)]
    elif own_room in homes:
        return own_room
    return homes[0] if len(homes) == 1 else None


def linked(html: str, own_room: str | None = None) -> str:
    """A page whose code names are links."""

    def link(code: re.Match[str]) -> str:
        meant = identifier(unescape(code[1]), own_room)
        return f'<autoref identifier="{meant}" optional>{code[0]}</autoref>' if meant else code[0]

    parts = _APART.split(html)
    parts[::2] = [_CODE.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Change a page once it is HTML; autorefs then finds the targets."""
    match = re.fullmatch(r"api/(\w+)\.md", page.file.src_uri)
    return linked(html, match[1] if match else None)
