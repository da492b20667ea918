"""A live figure that a thread extends while the page that shows it may answer."""

import threading
import time
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from fggm_lab.widgets.stage import LiveFigure


class ThreadFigure(LiveFigure):
    """A live figure whose changes and the page's replies to them take turns.

    Plotly takes a reply without regard to a thread that is just sending: a change sent meanwhile
    would be lost.
    """

    def __init__(self, figure: go.Figure, replied: Callable[[float], None]) -> None:
        """Args:
        figure: what to show first.
        replied: told the seconds that each reply of the page took.
        """
        self._turn = threading.RLock()
        self._replied = replied
        super().__init__(figure)

    def change(self, how: Callable[[go.Figure], object]) -> None:
        """Change the figure in one message to the page; from any thread."""
        with self._turn, self.batch_update():
            how(self)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take a reply of the page."""
        start = time.perf_counter()
        with self._turn:
            super().set_state(sync_data)
        self._replied(time.perf_counter() - start)

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The state a page asks for."""
        with self._turn:
            return super().get_state(key, drop_defaults)
