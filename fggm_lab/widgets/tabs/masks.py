"""Which units a keep share lets move: masks cut anew from the stored scores."""

import plotly.graph_objects as go

from fggm_lab.plots import kept_shares, mask_map
from fggm_lab.plots.mask_strips import ORDERS
from fggm_lab.plots.parameter_groups import BY
from fggm_lab.widgets.controls import choice, switch
from fggm_lab.widgets.records import Records
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.base import Tab, View

ALL_PARAMETERS = "all parameters"
"""Stands for no parameter in the list."""


class MasksTab(Tab):
    """The share of each layer or module that moves, and the map of units."""

    def __init__(self, selection: Selection, records: Records) -> None:
        self._selection, self._records = selection, records
        cut = ("keep", "scope")
        views = {
            "kept shares": View(self._shares, ("method", "task", *cut), ("by",)),
            "map of units": View(self._map, ("method", "layer", *cut), ("parameter", "order")),
        }
        super().__init__(
            "Masks",
            "fggm-tab-masks",
            views,
            by=switch("by", BY),
            parameter=choice("parameter", [ALL_PARAMETERS]),
            order=switch("units by", list(ORDERS)),
        )

    def _shares(self) -> go.Figure:
        chosen = self._selection
        scores = self._records.scores(chosen.run, chosen["task"])
        return kept_shares(scores, self.controls["by"], chosen["scope"], chosen["keep"])

    def _map(self) -> go.Figure:
        """The whole model, the layer selected, or one parameter of it."""
        chosen = self._selection
        masks = self._records.masks(chosen.run, chosen["keep"], chosen["scope"])
        inside = chosen.within(next(iter(masks.values())).names)
        self.controls.offer("parameter", [ALL_PARAMETERS, *inside])
        parameter = self.controls["parameter"]
        return mask_map(
            masks,
            chosen.layer,
            None if parameter == ALL_PARAMETERS else parameter,
            self.controls["order"],
            controls=False,
        )
