"""Do tasks need the same units? Overlap of the masks that the stored scores give."""

from collections.abc import Callable

import plotly.graph_objects as go

from fggm_lab.masks import Mask
from fggm_lab.plots import mask_overlap, overlap_per_layer, shared_units, union_growth
from fggm_lab.plots.mask_overlap import MEASURES
from fggm_lab.widgets.controls import switch
from fggm_lab.widgets.run_cache import RunCache
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.tab import Tab, View

_CUT = ("method", "keep", "scope")


class OverlapTab(Tab):
    """The overlap of every two tasks, along the depth, units shared by several, their union."""

    def __init__(self, selection: Selection, cache: RunCache) -> None:
        """Args:
        selection: the controls above the tabs.
        cache: what the runs recorded.
        """
        self._selection, self._cache = selection, cache
        views = {
            "every two tasks": View(self._matrix, (*_CUT, "layer"), ("measure",)),
            "per layer": View(lambda: overlap_per_layer(self._masks()), _CUT),
            "shared units": View(lambda: self._in_layer(shared_units), (*_CUT, "layer")),
            "union growth": View(lambda: self._in_layer(union_growth), (*_CUT, "layer")),
        }
        measures = switch("measure", [(measure.name, name) for name, measure in MEASURES.items()])
        super().__init__("Overlap", "fggm-tab-overlap", views, measure=measures)

    def _matrix(self) -> go.Figure:
        return mask_overlap(self._masks(), self._selection.layer, False, self.controls["measure"])

    def _masks(self) -> dict[str, Mask]:
        selection = self._selection
        return self._cache.masks(selection.run, selection["keep"], selection["scope"])

    def _in_layer(self, draw: Callable[[dict[str, Mask]], go.Figure]) -> go.Figure:
        """A figure of the masks within the layer selected."""
        within = self._selection.within
        masks = {task: mask.restricted(within(mask.names)) for task, mask in self._masks().items()}
        return self._selection.note_layer(draw(masks))
