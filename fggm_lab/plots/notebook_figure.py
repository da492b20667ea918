"""How a figure shows itself in a notebook: as Plotly does, and as a still picture beside it.

A page that runs Plotly (JupyterLab, Notebook 7, VS Code) draws the figure. What runs no Plotly (a
notebook turned into a page by nbconvert, a viewer of stored notebooks) shows the picture and its
words.
"""

from typing import Any

import plotly.graph_objects as go
import plotly.io as pio

from fggm_lab.errors import SettingError


class NotebookFigure(go.Figure):
    """A figure that also carries a still picture and its words into a notebook."""

    def _repr_mimebundle_(self, *arguments: Any, **settings: Any) -> dict[str, Any]:
        """What Plotly's renderer shows, and the picture and words where it has none of its own."""
        by_plotly: dict[str, Any] = super()._repr_mimebundle_(*arguments, **settings)
        return _still(self) | by_plotly

    def _ipython_display_(self) -> None:
        """Show the figure; where Plotly opens a browser instead, let it."""
        from IPython.display import display

        if pio.renderers.render_on_display and super()._repr_mimebundle_():
            display(self._repr_mimebundle_(), raw=True)
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


def _still(figure: go.Figure) -> dict[str, Any]:
    # The pictures are drawn with the theme, which imports this module.
    from fggm_lab.plots.static_picture import StaticPicture

    picture = StaticPicture.of(figure)
    try:
        html = picture.html("fggm-figure")
    except SettingError:  # traces that no small picture is drawn of
        html = StaticPicture(None, picture.words).html("fggm-figure")
    return {"text/html": html, "text/plain": picture.words}
