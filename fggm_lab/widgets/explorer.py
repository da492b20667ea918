"""The widget of `explore`: the explorer's page in a notebook, answered by the kernel."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from uuid import uuid4

import anywidget
import ipywidgets
import traitlets

from fggm_lab.explorer import assets
from fggm_lab.explorer.replies import reply
from fggm_lab.explorer.run_figures import RunFigures
from fggm_lab.plots import forgetting_curves
from fggm_lab.plots.static_picture import StaticPicture
from fggm_lab.runs import Run
from fggm_lab.runs.compare import first_seeds
from fggm_lab.widgets.lazy_widget import LazyWidget

_MAX_PICTURED = 4
"""The most runs in the static picture, which notebooks store."""


class ExplorerPage(anywidget.AnyWidget):
    """The page of the explorer; asks the kernel for figures, and cuts masks itself.

    Attributes:
        figures: of the runs shown.
    """

    _esm = assets.module("widget.js")
    _css = assets.style()
    _state = traitlets.Dict().tag(sync=True)
    _plotly = traitlets.Unicode(version("plotly")).tag(sync=True)
    _address = traitlets.Unicode().tag(sync=True)

    def __init__(self, figures: RunFigures) -> None:
        """Args:
        figures: of the runs to show.
        """
        self.figures = figures
        address = uuid4().hex
        super().__init__(_address=address, model_id=address)
        self.on_msg(self._answer)

    def _answer(self, _: object, message: dict[str, Any], __: object) -> None:
        content, arrays = reply(self.figures, message["request"])
        self.send({"id": message["id"], "reply": content}, arrays)


class Explorer(LazyWidget):
    """Runs of one model over the same tasks, in tabs.

    Attributes:
        page: the explorer's page, once the widget is filled.
    """

    css = "fggm-explore"

    def __init__(self, runs: Sequence[Run]) -> None:
        """Args:
        runs: runs that can be compared, of one model.
        """
        self._runs = list(runs)
        super().__init__()

    def build(self) -> list[ipywidgets.Widget]:
        """The page alone; its controls are the page's own."""
        self.page = ExplorerPage(RunFigures(self._runs))
        return [self.page]

    def static(self) -> StaticPicture:
        """The forgetting curves of the first methods."""
        first = first_seeds(self._runs)
        picture = StaticPicture.of(forgetting_curves(first[:_MAX_PICTURED]))
        if len(first) > _MAX_PICTURED:
            picture = picture.with_note(f"Pictured: {_MAX_PICTURED} of {len(first)} methods.")
        return picture
