"""What a stored notebook shows of a figure or a widget: a picture and words, without scripts."""

from dataclasses import dataclass, replace
from html import escape
from urllib.parse import quote

import plotly.graph_objects as go

from fggm_lab.plots.svg import svg
from fggm_lab.plots.theme import caption_of, description_of


@dataclass(frozen=True)
class StaticPicture:
    """A picture and its words.

    Attributes:
        figure: of lines, bars or cells; None where there is nothing to draw.
        words: what it shows, or why there is nothing.
        table: HTML that stands below.
    """

    figure: go.Figure | None
    words: str
    table: str = ""

    @classmethod
    def of(cls, figure: go.Figure, table: str = "") -> "StaticPicture":
        """A figure with its own caption and description, and perhaps a table below."""
        return cls(figure, f"{caption_of(figure)} {description_of(figure)}", table)

    def with_note(self, note: str) -> "StaticPicture":
        """The same with a sentence added to the words."""
        return replace(self, words=f"{self.words} {note}")

    def html(self, css: str) -> str:
        """A piece of HTML without scripts.

        Args:
            css: a class by which a page finds it.

        Returns:
            a `div` with the picture as an image, the words and the table.
        """
        picture = ""
        if self.figure is not None:
            # An image: pages that remove inline SVG for safety leave images of it alone.
            data = quote(svg(self.figure).replace('"', "'"), safe=" ='/:;,().")
            title = escape((self.figure.layout.meta or {}).get("title", "figure"))
            picture = (
                f'<img src="data:image/svg+xml,{data}" alt="{title}, described below" '
                'style="max-width:100%">'
            )
        words = f"<p>{escape(self.words)}</p>" if self.words else ""
        return f'<div class="fggm-static {css}">{picture}{words}{self.table}</div>'
