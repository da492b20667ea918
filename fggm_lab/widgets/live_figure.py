"""Figures in a notebook page that change while they are shown."""

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import ipywidgets
import plotly.graph_objects as go
import traitlets
from plotly.serializers import custom_serializers

from fggm_lab.widgets.plotly_library import FIGURE_MODULE, PlotlyLibrary, plotly_library

_STATE = ("_widget_data", "_widget_layout")


class LiveFigure(go.FigureWidget):
    """A FigureWidget as wide as its container; a reloaded page gets its present state.

    All figures of a page share one copy of Plotly's JavaScript.
    """

    _esm = FIGURE_MODULE
    _address = traitlets.Unicode().tag(sync=True)
    _library = traitlets.Instance(PlotlyLibrary).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, figure: go.Figure) -> None:
        """Args:
        figure: what to show first.
        """
        self._complete = False
        super().__init__(figure)
        self._config = {"responsive": True, "displaylogo": False}
        self._complete = True
        self._address = self._model_id = uuid4().hex
        self.open()
        self.on_msg(lambda *_: self._send_what_a_page_missed())

    def open(self) -> None:
        """Make the figure known to the page, with its data.

        Plotly does so before the widget has any, and then sends the data as a change, which a page
        that is busy may never take in.
        """
        if self._complete:
            super().open()

    @traitlets.default("_library")
    def _shared_library(self) -> PlotlyLibrary:
        return plotly_library()

    def _send_what_a_page_missed(self) -> None:
        """Send the whole figure if it changed; called when a page begins to listen to changes."""
        if self._last_layout_edit_id or self._last_trace_edit_id:
            self.send_state(_STATE)

    @traitlets.observe("_js2py_traceDeltas")
    def _handler_js2py_traceDeltas(self, change: dict[str, Any]) -> None:
        """Ignore the page's report of its defaults: for many traces it is slower than drawing."""
        if change["new"]:
            self._trace_edit_in_process = False
            self._js2py_traceDeltas = None

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The state that a page asks for.

        Plotly's own answer holds the data from before any change, so data and layout are replaced
        by the present ones.

        Args:
            key: the names of the state asked for; None for all.
            drop_defaults: leave out what equals its default.

        Returns:
            name → value.
        """
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if "_data" in vars(self):  # while the widget is being made, there is none yet
            current = dict(zip(_STATE, (self._data, self._layout_obj._props), strict=True))
            to_json = custom_serializers["to_json"]
            state |= {
                name: to_json(value, self) for name, value in current.items() if name in state
            }
        return state


class ThreadSafeFigure(LiveFigure):
    """A live figure that a thread changes while the page that shows it may answer.

    Plotly takes an answer of the page without regard to a thread that is sending a change, which
    would be lost. Here changes and answers take turns.
    """

    def __init__(self, figure: go.Figure, on_reply: Callable[[float], None]) -> None:
        """Args:
        figure: what to show first.
        on_reply: called with the seconds that each answer of the page took.
        """
        self._turn = threading.RLock()
        self._on_reply = on_reply
        super().__init__(figure)

    def change(self, edit: Callable[[go.Figure], object]) -> None:
        """Let a function edit the figure, and send that in one message; from any thread."""
        with self._turn, self.batch_update():
            edit(self)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take an answer of the page."""
        start = time.perf_counter()
        with self._turn:
            super().set_state(sync_data)
        self._on_reply(time.perf_counter() - start)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The state that a page asks for; as `LiveFigure.get_state`, and never during a change."""
        with self._turn:
            return super().get_state(key, drop_defaults)
