"""The widget of `explore`: a selection, tabs that follow it, and a button that reads again."""

from collections.abc import Sequence

import ipywidgets

from fggm_lab.plots import forgetting_curves
from fggm_lab.plots.static_picture import StaticPicture
from fggm_lab.runs import Run
from fggm_lab.runs.compare import first_seeds
from fggm_lab.widgets.lazy_widget import LazyWidget
from fggm_lab.widgets.run_cache import RunCache
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.drift import DriftTab
from fggm_lab.widgets.tabs.forgetting import ForgettingTab
from fggm_lab.widgets.tabs.group import TabGroup
from fggm_lab.widgets.tabs.masks import MasksTab
from fggm_lab.widgets.tabs.overlap import OverlapTab
from fggm_lab.widgets.tabs.spectra import SpectraTab

_TABS = (ForgettingTab, SpectraTab, MasksTab, OverlapTab, DriftTab)
_MAX_PICTURED = 4
"""The most runs in the static picture, which notebooks store."""


class Explorer(LazyWidget):
    """Runs of one model over the same tasks, in tabs.

    Attributes:
        cache: what the runs recorded, once the widget is filled.
        selection: the controls that all tabs follow, once the widget is filled.
        tabs: the tabs, once the widget is filled.
    """

    css = "fggm-explore"

    def __init__(self, runs: Sequence[Run]) -> None:
        """Args:
        runs: runs that can be compared, of one model.
        """
        self._runs = list(runs)
        super().__init__()

    def build(self) -> list[ipywidgets.Widget]:
        """The selection, the tabs, the button."""
        cache = self.cache = RunCache(self._runs)
        self.selection = Selection(cache)
        self.tabs = TabGroup([tab_class(self.selection, cache) for tab_class in _TABS])
        self.selection.listen(self.tabs.note_change)
        button = ipywidgets.Button(description="Read runs again", icon="refresh")
        button.on_click(self._read_again)
        return [self.selection.box, self.tabs.box, button]

    def static(self) -> StaticPicture:
        """The forgetting curves of the first methods."""
        first = first_seeds(self._runs)
        picture = StaticPicture.of(forgetting_curves(first[:_MAX_PICTURED]))
        if len(first) > _MAX_PICTURED:
            picture = picture.with_note(f"Pictured: {_MAX_PICTURED} of {len(first)} methods.")
        return picture

    def _read_again(self, _: object) -> None:
        self.selection.refresh()
        self.tabs.refresh()
