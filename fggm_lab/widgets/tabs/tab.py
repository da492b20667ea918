"""A tab: a choice of figures, the controls of the figure chosen, the figure and its words."""

from collections.abc import Callable
from typing import NamedTuple

import ipywidgets
import plotly.graph_objects as go

from fggm_lab.errors import LabError
from fggm_lab.sentences import full_sentence
from fggm_lab.widgets.controls import Controls, switch
from fggm_lab.widgets.figure_panel import FigurePanel


class View(NamedTuple):
    """One figure of a tab.

    Attributes:
        draw: makes the figure from what is selected; a LabError's sentence is shown in its place.
        shared_controls: names of the controls above the tabs that change it.
        own_controls: names of the tab's controls that change it.
    """

    draw: Callable[[], go.Figure]
    shared_controls: tuple[str, ...]
    own_controls: tuple[str, ...] = ()


class Tab:
    """Views of one question. A tab draws when it is looked at, and only if something has changed.

    Attributes:
        title: on the tab.
        css: the class of the tab's box in the page.
        views: name → view, the first one shown at first.
        view: the buttons that choose the view.
        controls: the tab's own controls.
        panel: figure and words.
        box: the widget.
    """

    def __init__(
        self, title: str, css: str, views: dict[str, View], **controls: ipywidgets.Widget
    ) -> None:
        """Args:
        title: on the tab.
        css: the class of the tab's box in the page.
        views: name → view, the first one shown at first.
        controls: the tab's own controls by name.
        """
        self.title = title
        self.css = css
        self.views = views
        self.view = switch("", list(views))
        if len(views) == 1:
            self.view.layout.display = "none"
        self.controls = Controls(**controls)
        self.panel = FigurePanel()
        self._shared_note = ipywidgets.HTML()
        self._changed: set[str] | None = None
        """The controls changed since the last drawing; None before the first."""
        self.box = ipywidgets.VBox(
            [self.view, self._shared_note, self.controls.box, self.panel.box]
        ).add_class(css)
        self.view.observe(self._show_view, "value")
        self.controls.listen(self._change_own)
        self._arrange()

    @property
    def shown(self) -> View:
        """The view chosen."""
        return self.views[self.view.value]

    def note_change(self, name: str) -> None:
        """Note that a control has changed; the next `update` draws what depends on it."""
        if self._changed is not None:
            self._changed.add(name)

    def update(self, redraw: bool = False) -> None:
        """Bring the figure up to date.

        Args:
            redraw: draw it even if nothing has changed.
        """
        view = self.shown
        changed, self._changed = self._changed, set()
        controls = {*view.shared_controls, *view.own_controls}
        if not redraw and changed is not None and not changed & controls:
            return
        try:
            self.panel.show(view.draw())
        except LabError as error:
            self.panel.show_message(str(error))

    def refresh(self) -> None:
        """Forget what was drawn; the next `update` reads the runs again and draws."""
        self._changed = None

    def _show_view(self, _: object) -> None:
        self._arrange()
        self.update(redraw=True)

    def _change_own(self, name: str) -> None:
        self.note_change(name)
        self.update()

    def _arrange(self) -> None:
        """Show the controls of the view chosen, and say which controls above the tabs change it."""
        self.controls.show_only(self.shown.own_controls)
        names = self.shown.shared_controls
        verb = "change" if len(names) > 1 or names == ("methods",) else "changes"
        text = full_sentence(f"{' and '.join(names)} {verb} this figure")
        self._shared_note.value = f"<small>{text}</small>" if names else ""
