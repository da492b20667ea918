"""Which units a keep share lets move: masks cut anew from the stored scores."""

import plotly.graph_objects as go

from fggm_lab.plots.kept_shares import kept_shares
from fggm_lab.plots.places import BY
from fggm_lab.widgets.controls import switch
from fggm_lab.widgets.records import Records
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.base import Tab, View


class MasksTab(Tab):
    """The share of each layer or module that moves, and the map of units."""

    def __init__(self, selection: Selection, records: Records) -> None:
        self._selection, self._records = selection, records
        cut = ("keep", "scope")
        views = {
            "kept shares": View(self._shares, ("method", "task", *cut), ("by",)),
        }
        super().__init__("Masks", "fggm-tab-masks", views, by=switch("by", BY))

    def _shares(self) -> go.Figure:
        chosen = self._selection
        scores = self._records.scores(chosen.run, chosen["task"])
        return kept_shares(scores, self.controls["by"], chosen["scope"], chosen["keep"])
