"""How a figure shows itself in a notebook: its texts, and below them the plot or a still picture.

Title, caption and description are HTML, which wraps at any width and has the page's colours. A
page that runs Plotly (JupyterLab, Notebook 7, VS Code) draws the plot below them. What runs no
Plotly (a notebook turned into a page by nbconvert, a viewer of stored notebooks) shows the picture.
"""

from html import escape
from textwrap import fill
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio

from fggm_lab.errors import SettingError
from fggm_lab.plots.static_picture import StaticPicture
from fggm_lab.plots.theme import PAGE_STYLE, bare

_COLUMNS = 80
"""Characters per line of plain text."""


class NotebookFigure(go.Figure):
    """A figure that carries its texts and a still picture into a notebook."""

    def _repr_mimebundle_(self, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """The figure with its texts inside, for what shows one bundle and no more."""
        return _still(self) | super()._repr_mimebundle_(*arguments, **settings)

    def _ipython_display_(self) -> None:
        """Show the texts and the plot; where Plotly opens a browser instead, let it."""
        from IPython.display import display

        plot = bare(self)
        if pio.renderers.render_on_display and (by_plotly := plot._repr_mimebundle_()):
            display(_texts(self), raw=True)
            display(_still(plot) | by_plotly, raw=True)
        else:
            super()._ipython_display_()


def in_notebooks(figure: go.Figure) -> go.Figure:
    """Let a figure show itself as `NotebookFigure` does.

    Args:
        figure: changed in place, since a copy of a large figure takes longer than drawing it;
            a widget, which shows itself, is left as it is.

    Returns:
        The figure.
    """
    if type(figure) is go.Figure:
        figure.__class__ = NotebookFigure
    return figure


def texts_html(title: str, caption: str, description: str) -> str:
    """A figure's texts above it.

    Args:
        title: a few words.
        caption: how to read the figure.
        description: the figure in words, folded away.

    Returns:
        HTML, with the style that gives the text inside figures the page's colour.
    """
    return (
        f'<div class="fggm-texts" style="max-width:75em;line-height:1.4"><style>{PAGE_STYLE}'
        f'</style><p style="font-size:1.2em;margin:.5em 0 .2em"><b>{escape(title)}</b></p>'
        f'<p style="margin:.2em 0">{escape(caption)}</p><details><summary>The same in words'
        f"</summary><p>{escape(description)}</p></details></div>"
    )


def _texts(figure: go.Figure) -> dict[str, str]:
    texts = [str(figure.layout.meta[key]) for key in ("title", "caption", "description")]
    plain = "\n".join(fill(text, _COLUMNS, break_on_hyphens=False) for text in texts)
    return {"text/html": texts_html(*texts), "text/plain": plain}


def _still(figure: go.Figure) -> dict[str, Any]:
    """The picture; with the words where the figure has its texts inside."""
    picture = StaticPicture.of(figure)
    plain = fill(picture.words, _COLUMNS, break_on_hyphens=False)
    if not figure.layout.title.text:
        picture, plain = StaticPicture(figure, ""), str(figure.layout.meta["title"])
    try:
        html = picture.html("fggm-figure")
    except SettingError:  # traces that no small picture is drawn of
        html = StaticPicture(None, picture.words).html("fggm-figure")
    return {"text/html": html, "text/plain": plain}
