"""A tab: a choice of views, the controls of the view chosen, its figure and its words."""

from collections.abc import Callable
from typing import NamedTuple

import ipywidgets
import plotly.graph_objects as go

from fggm_lab.errors import LabError
from fggm_lab.widgets.controls import Controls, switch
from fggm_lab.widgets.stage import Stage

_NAMES = {"keep": "keep share"}
"""How a control is called where it is not called by its own name."""


class View(NamedTuple):
    """One figure of a tab.

    Attributes:
        draw: makes the figure from what is selected; a LabError's sentence is shown in its place.
        follows: the controls above the tabs that change it.
        own: the controls of the tab that change it.
        cut: changes the figure shown where only keep share or scope has moved, and returns its
            words; None: it is drawn anew.
    """

    draw: Callable[[], go.Figure]
    follows: tuple[str, ...]
    own: tuple[str, ...] = ()
    cut: Callable[[go.Figure], str] | None = None


class Tab:
    """Views of one question. It draws when it is looked at, and only what has changed.

    Attributes:
        title: on the tab.
        css: the class of the tab's box in the page.
        views: name → view, the first one shown at first.
        view: the buttons that choose the view.
        controls: the tab's own controls.
        stage: figure and words.
        box: the widget.
    """

    def __init__(
        self, title: str, css: str, views: dict[str, View], **own: ipywidgets.Widget
    ) -> None:
        self.title = title
        self.css = css
        self.views = views
        self.view = switch("", list(views))
        if len(views) == 1:
            self.view.layout.display = "none"
        self.controls = Controls(**own)
        self.stage = Stage()
        self._follows = ipywidgets.HTML()
        self._moved: set[str] | None = None
        """What has moved since the last drawing; None before the first."""
        self.box = ipywidgets.VBox(
            [self.view, self._follows, self.controls.box, self.stage.box]
        ).add_class(css)
        self.view.observe(self._view_chosen, "value")
        self.controls.listen(self._own_moved)
        self._arrange()

    @property
    def shown(self) -> View:
        """The view chosen."""
        return self.views[self.view.value]

    def mark(self, name: str) -> None:
        """Note that a control above the tabs has moved; the next `update` draws what it changes."""
        if self._moved is not None:
            self._moved.add(name)

    def update(self, anew: bool = False) -> None:
        """Bring the figure up to date.

        Args:
            anew: draw it whether anything has moved or not.
        """
        view = self.shown
        moved, self._moved = self._moved, set()
        concerned = None if anew or moved is None else moved & {*view.follows, *view.own}
        if concerned == set():
            return
        try:
            if concerned and concerned <= {"keep", "scope"} and view.cut and self.stage.figure:
                self.stage.changed(view.cut(self.stage.figure))
            else:
                self.stage.show(view.draw())
        except LabError as problem:
            self.stage.refuse(str(problem))

    def refresh(self) -> None:
        """Forget what was drawn; the next `update` draws from the records as they are then."""
        self._moved = None

    def _view_chosen(self, _: object) -> None:
        self._arrange()
        self.update(anew=True)

    def _own_moved(self, name: str) -> None:
        self.mark(name)
        self.update()

    def _arrange(self) -> None:
        """Show the controls of the view chosen, and say what else moves it."""
        self.controls.show_only(self.shown.own)
        follows = ", ".join(_NAMES.get(name, name) for name in self.shown.follows)
        self._follows.value = f"<small>Moved by: {follows}.</small>" if follows else ""
