"""What a report is made of: kinds of figures, and of each the variants a reader chooses from."""

from dataclasses import dataclass

import plotly.graph_objects as go

from fggm_lab.packing import packed
from fggm_lab.plots import bare, caption_of, description_of
from fggm_lab.plots.thinning import light


@dataclass(frozen=True)
class Variant:
    """One figure of a block, under the label it is chosen by."""

    label: str
    figure: go.Figure

    @property
    def caption(self) -> str:
        """The figure's caption."""
        return caption_of(self.figure)

    @property
    def description(self) -> str:
        """The figure in words."""
        return description_of(self.figure)

    @property
    def height(self) -> int:
        """Pixels the figure takes."""
        return int(bare(self.figure).layout.height)

    def json(self) -> str:
        """The figure without its title."""
        return str(light(bare(self.figure)).to_json())

    def packed(self) -> str:
        """`json`, compressed by gzip, in base64: the same bytes for the same figure."""
        return packed(self.json())


@dataclass(frozen=True)
class Block:
    """A kind of figure.

    Attributes:
        key: its id in the page.
        kind: `narrow` figures fit a phone, `wide` ones scroll there.
        choice: what the list of variants chooses.
        missing: what to say if there is no variant.
        note: what to say above the figure, if anything.
    """

    key: str
    heading: str
    kind: str
    choice: str
    variants: list[Variant]
    missing: str = ""
    note: str = ""
