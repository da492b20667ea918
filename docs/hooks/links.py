"""Every link inside the site leads somewhere: a missing page, file or anchor fails the build.

MkDocs looks at the links of Markdown alone. This looks at the pages as they were written, with what
docstrings, tables and other hooks have put into them.
"""

import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority

_NAMED = re.compile(r'<[^<>]*?\s(?:id|name)="?([^"\s>]+)')
_LINK = re.compile(r'<(?:a|img|script|link|source)\s[^<>]*?\b(?:href|src)="?([^"\s>]+)')
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.I)
_AT_ROOT = {"404.html"}
"""Pages that a server shows at any address; their links begin at the server's root."""


def dead_links(pages: Mapping[str, str], files: set[str]) -> list[str]:
    """The links that lead nowhere.

    Args:
        pages: page, as a path from the site's top → its HTML.
        files: every file of the site, pages included.

    Returns:
        `page: link` for each, sorted.
    """
    anchors = {page: {unescape(name) for name in _NAMED.findall(pages[page])} for page in pages}
    dead = set()
    for page, html in pages.items():
        for link in map(unescape, _LINK.findall(html)):
            if _ELSEWHERE.match(link):
                continue
            address, _, anchor = link.partition("#")
            path = unquote(address.partition("?")[0])
            target = normpath(join(dirname(page), path)) if path else page
            target = "index.html" if target == "." else target
            if target not in files or (anchor and unquote(anchor) not in anchors.get(target, ())):
                dead.add(f"{page}: {link}")
    return sorted(dead)


@event_priority(-200)  # after the plugins that write files of their own
def on_post_build(config: MkDocsConfig) -> None:
    """Check the whole site."""
    site = Path(config.site_dir)
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    pages = {
        name: (site / name).read_text(encoding="utf-8")
        for name in files - _AT_ROOT
        if name.endswith(".html")
    }
    if dead := dead_links(pages, files):
        raise PluginError("links that lead nowhere:\n" + "\n".join(dead))
