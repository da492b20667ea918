"""What stands for an explorer where there are no widgets: a picture and its words, as HTML."""

from dataclasses import dataclass, replace
from html import escape
from urllib.parse import quote

import plotly.graph_objects as go

from fggm_lab.plots import caption_of, description_of
from fggm_lab.plots.svg import svg


@dataclass(frozen=True)
class Static:
    """A picture and its words.

    Attributes:
        figure: of lines; None where there is nothing to draw.
        words: what it shows, or why there is nothing.
        table: HTML that stands below.
    """

    figure: go.Figure | None
    words: str
    table: str = ""

    @classmethod
    def of(cls, figure: go.Figure, table: str = "") -> "Static":
        """A figure with its own caption and words."""
        return cls(figure, f"{caption_of(figure)} {description_of(figure)}", table)

    def with_note(self, note: str) -> "Static":
        """The same with a sentence added to the words."""
        return replace(self, words=f"{self.words} {note}")

    def html(self, name: str) -> str:
        """A piece of HTML without scripts.

        Args:
            name: a class by which a page finds it.
        """
        picture = ""
        if self.figure is not None:
            # as an image: pages that clean inline SVG away leave images of it alone
            data = quote(svg(self.figure).replace('"', "'"), safe=" ='/:;,().")
            title = escape((self.figure.layout.meta or {}).get("title", "figure"))
            picture = (
                f'<img src="data:image/svg+xml,{data}" alt="{title}, described below" '
                'style="max-width:100%">'
            )
        words = f"<p>{escape(self.words)}</p>"
        return f'<div class="fggm-static {name}">{picture}{words}{self.table}</div>'
