"""Tabs side by side; only the one looked at is drawn."""

from collections.abc import Sequence

import ipywidgets

from fggm_lab.widgets.tabs.tab import Tab


class TabGroup:
    """The tabs of a widget.

    Attributes:
        tabs: in order.
        box: the widget.
    """

    def __init__(self, tabs: Sequence[Tab]) -> None:
        """Args:
        tabs: in order.
        """
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

    def note_change(self, name: str) -> None:
        """Tell all tabs that a control above them has changed; draw the one looked at."""
        for tab in self.tabs:
            tab.note_change(name)
        self.shown.update()

    def refresh(self) -> None:
        """Read the runs again: now for the tab looked at, for others when they are next shown."""
        for tab in self.tabs:
            tab.refresh()
        self.shown.update()
