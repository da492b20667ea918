"""The last step of every figure: its template, its title and its caption."""

from textwrap import wrap

import plotly.graph_objects as go

from fggm_lab.escaping import visible
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.notebook_figure import in_notebooks
from fggm_lab.plots.theme import SMALL, lay_out, raise_top, texts_height

_CAPTION_WIDTH = 92
"""Characters per line of a caption drawn inside a figure, fit for `theme.MIN_WIDTH`."""


def finish(figure: go.Figure, title: str, caption: str, description: str) -> go.Figure:
    """Give a figure the template, its title, and its caption below the title.

    Title, caption and description also go into `layout.meta`, where the report and the explorers
    read them (`caption_of`, `description_of`), and a notebook shows them beside the figure.

    Args:
        figure: changed in place.
        title: a few words.
        caption: how to read the figure, made from its data.
        description: the figure in words with its key numbers, for people who cannot see it.

    Returns:
        The figure.
    """
    lines = wrap(caption, _CAPTION_WIDTH, break_long_words=False, break_on_hyphens=False)
    lay_out(figure).update_layout(
        title={
            "text": f"<b>{as_label(title)}</b>",
            "subtitle": {"text": "<br>".join(map(as_label, lines)), "font": {"size": SMALL}},
        },
        meta={
            "title": visible(title),
            "caption": visible(caption),
            "description": visible(description),
        },
    )
    return in_notebooks(raise_top(figure, texts_height(len(lines))))
