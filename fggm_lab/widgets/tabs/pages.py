"""Tabs side by side, of which only the one looked at is drawn."""

from collections.abc import Sequence

import ipywidgets

from fggm_lab.widgets.tabs.base import Tab


class Pages:
    """Some tabs.

    Attributes:
        tabs: in order.
        box: the widget.
    """

    def __init__(self, tabs: Sequence[Tab]) -> None:
        self.tabs = list(tabs)
        self.box = ipywidgets.Tab(
            children=[tab.box for tab in tabs],
            titles=[tab.title for tab in tabs],
            selected_index=0,
        )
        self.box.observe(lambda _: self.shown.update(), "selected_index")
        self.shown.update()

    @property
    def shown(self) -> Tab:
        """The tab looked at."""
        return self.tabs[self.box.selected_index or 0]

    def mark(self, name: str) -> None:
        """Tell all tabs that a control above them has moved; the one looked at follows at once."""
        for tab in self.tabs:
            tab.mark(name)
        self.shown.update()

    def refresh(self) -> None:
        """Draw from the records as they are now, other tabs when they are next looked at."""
        for tab in self.tabs:
            tab.refresh()
        self.shown.update()
