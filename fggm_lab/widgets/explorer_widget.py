"""The widget of `explore`: a selection, tabs that follow it, and a button that reads again."""

from collections.abc import Sequence

import ipywidgets

from fggm_lab.plots import forgetting_curves
from fggm_lab.runs import Run
from fggm_lab.runs.compare import first_seeds
from fggm_lab.widgets.records import Records
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.shell import Shell
from fggm_lab.widgets.static import Static
from fggm_lab.widgets.tabs.drift import DriftTab
from fggm_lab.widgets.tabs.forgetting import ForgettingTab
from fggm_lab.widgets.tabs.masks import MasksTab
from fggm_lab.widgets.tabs.overlap import OverlapTab
from fggm_lab.widgets.tabs.pages import Pages
from fggm_lab.widgets.tabs.spectra import SpectraTab

_TABS = (ForgettingTab, SpectraTab, MasksTab, OverlapTab, DriftTab)
_PICTURED = 4
"""The most runs in the still picture, which notebooks store."""


class Explorer(Shell):
    """Runs of one model over the same tasks, in tabs.

    Attributes:
        records: what the runs keep, once the widget is filled.
        selection: what all tabs look at, once the widget is filled.
        pages: the tabs, once the widget is filled.
    """

    css = "fggm-explore"

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = list(runs)
        super().__init__()

    def build(self) -> list[ipywidgets.Widget]:
        """The selection, the tabs, the button."""
        records = self.records = Records(self._runs)
        self.selection = Selection(records)
        self.pages = Pages([kind(self.selection, records) for kind in _TABS])
        self.selection.listen(self.pages.mark)
        again = ipywidgets.Button(description="Read runs again", icon="refresh")
        again.on_click(self._read_again)
        return [self.selection.box, self.pages.box, again]

    def static(self) -> Static:
        """The forgetting curves of the first methods."""
        every = first_seeds(self._runs)
        static = Static.of(forgetting_curves(every[:_PICTURED]))
        if len(every) > _PICTURED:
            static = static.with_note(f"Pictured: {_PICTURED} of {len(every)} methods.")
        return static

    def _read_again(self, _: object) -> None:
        self.selection.refresh()
        self.pages.refresh()
