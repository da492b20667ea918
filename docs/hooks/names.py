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


def identifier(code: str, own: str | None = None) -> str | None:
    """What a piece of code names, as the API pages know it; None if nothing public.

    Args:
        code: such as `Run.open` or `lab.Mask.top(scores, keep=0.3)`.
        own: the room of the page it stands on, which goes first where two have such a name.
    """
    if command := _COMMAND.match(code):
        return f"fggm-lab-{command[1]}"
    found = _NAME.fullmatch(code)
    if found is None or _is_a_word(found):
        return None
    home = _home(found["name"], found["room"], bool(found["package"]), own)
    if home is None:
        return None
    whole, member = path_of(home, found["name"]), found["member"]
    if member is None:
        return whole
    thing = getattr(import_module(f"fggm_lab.{home}"), found["name"])
    return f"{whole}.{member}" if callable(getattr(thing, member, None)) else None


def _is_a_word(found: re.Match[str]) -> bool:
    """Whether code is a mere word, `keep` or `general`, that only happens to be a name, too."""
    bare = not any(found[part] for part in ("package", "room", "member", "call"))
    return bare and found["name"].islower() and "_" not in found["name"]


def _home(name: str, room: str | None, packaged: bool, own: str | None) -> str | None:
    """The one room that is meant."""
    homes = [each for each in ROOMS if name in public(each)]
    if room is not None:
        homes = [each for each in homes if each == room]
    elif packaged:
        homes = [each for each in homes if each == fggm_lab._HOMES.get(name)]
    elif own in homes:
        return own
    return homes[0] if len(homes) == 1 else None


def linked(html: str, own: str | None = None) -> str:
    """A page whose code names are links."""

    def link(code: re.Match[str]) -> str:
        meant = identifier(unescape(code[1]), own)
        return f'<autoref identifier="{meant}" optional>{code[0]}</autoref>' if meant else code[0]

    parts = _APART.split(html)
    parts[::2] = [_CODE.sub(link, part) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Change a page once it is HTML; autorefs then finds the targets."""
    own = re.fullmatch(r"api/(\w+)\.md", page.file.src_uri)
    return linked(html, own[1] if own else None)
