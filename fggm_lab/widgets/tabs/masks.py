"""Which units may move at a keep share: masks cut from the stored scores."""

import plotly.graph_objects as go

from fggm_lab.plots import kept_shares, mask_map
from fggm_lab.plots.mask_strips import STRIP_ORDERS
from fggm_lab.plots.parameter_groups import GROUPINGS
from fggm_lab.widgets.controls import choice, switch
from fggm_lab.widgets.run_cache import RunCache
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.tab import Tab, View

ALL_PARAMETERS = "all parameters"
"""The entry of the list that restricts the map to no parameter."""


class MasksTab(Tab):
    """The share of each layer or module that moves, and the map of units."""

    def __init__(self, selection: Selection, cache: RunCache) -> None:
        """Args:
        selection: the controls above the tabs.
        cache: what the runs recorded.
        """
        self._selection, self._cache = selection, cache
        cut = ("keep", "scope")
        views = {
            "kept shares": View(self._shares, ("method", "task", *cut), ("by",)),
            "map of units": View(self._map, ("method", "layer", *cut), ("parameter", "order")),
        }
        super().__init__(
            "Masks",
            "fggm-tab-masks",
            views,
            by=switch("by", GROUPINGS),
            parameter=choice("parameter", [ALL_PARAMETERS]),
            order=switch("units by", list(STRIP_ORDERS)),
        )

    def _shares(self) -> go.Figure:
        selection = self._selection
        scores = self._cache.scores_to_cut(selection.run, selection["task"])
        return kept_shares(scores, self.controls["by"], selection["scope"], selection["keep"])

    def _map(self) -> go.Figure:
        """The whole model, the layer selected, or one parameter of it."""
        selection = self._selection
        masks = self._cache.masks(selection.run, selection["keep"], selection["scope"])
        inside = selection.within(next(iter(masks.values())).names)
        self.controls.offer("parameter", [ALL_PARAMETERS, *inside])
        parameter = self.controls["parameter"]
        return mask_map(
            masks,
            selection.layer,
            None if parameter == ALL_PARAMETERS else parameter,
            self.controls["order"],
            controls=False,
        )
