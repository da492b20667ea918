"""Formulas as MathML, made when the site is built: browsers draw them, without any script."""

import re
from html import unescape
from unicodedata import lookup

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.S)
_DISPLAY = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.S)
_BLACKBOARD = re.compile(r'<mi mathvariant="double-struck">([A-Z])</mi>')


def with_formulas(html: str) -> str:
    """A page whose LaTeX, as arithmatex marks it, is MathML."""
    html = _INLINE.sub(lambda match: _mathml(match[1], "inline"), html)
    return _DISPLAY.sub(lambda match: _mathml(match[1], "block"), html)


def _mathml(latex: str, display: str) -> str:
    return _BLACKBOARD.sub(_double_struck, convert(unescape(latex), display=display))


def _double_struck(letter: re.Match[str]) -> str:
    """The letter itself: browsers have given up the attribute."""
    try:
        return f"<mi>{lookup(f'MATHEMATICAL DOUBLE-STRUCK CAPITAL {letter[1]}')}</mi>"
    except KeyError:  # seven of them, ℝ among them, are older and have other names
        return f"<mi>{lookup(f'DOUBLE-STRUCK CAPITAL {letter[1]}')}</mi>"


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Change a page's formulas once it is HTML."""
    return with_formulas(html)
