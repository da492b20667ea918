"""A figure in an explorer with its words below; a figure of the same form is changed in place."""

from html import escape
from typing import Any

import ipywidgets
import numpy as np
import plotly.graph_objects as go

from fggm_lab.plots import bare, caption_of, description_of
from fggm_lab.plots.theme import PAGE_STYLE
from fggm_lab.sentences import sentence_html
from fggm_lab.widgets.live_figure import LiveFigure

_ABSENT = object()


class FigurePanel:
    """A figure, its caption and, folded away, its description; or a message in their place.

    Attributes:
        figure: the figure shown; None where a message says why there is none.
        box: the widget.
    """

    def __init__(self) -> None:
        self.figure: LiveFigure | None = None
        self._drawn: go.Figure | None = None
        self._figure_box = ipywidgets.VBox()
        self._caption = ipywidgets.HTML()
        self._words = ipywidgets.HTML()
        self.box = ipywidgets.VBox([self._figure_box, self._caption, self._words])

    @property
    def text(self) -> str:
        """The texts shown at the moment, as HTML: the message, or caption and description."""
        messages = [
            child for child in self._figure_box.children if isinstance(child, ipywidgets.HTML)
        ]
        return "".join(part.value for part in [*messages, self._caption, self._words])

    def show(self, figure: go.Figure) -> None:
        """Show another figure; if it has the same form, only what differs is changed.

        What a reader did to the figure, a zoom or a line switched off, stays where nothing differs.

        Args:
            figure: with its caption and description.
        """
        plain = bare(figure).update_layout(autosize=True)
        if self.figure is not None and self._drawn is not None and _alike(self._drawn, plain):
            _change(self.figure, self._drawn, plain)
        else:
            self._replace(LiveFigure(plain))
        self._drawn = plain
        self.set_texts(caption_of(figure), description_of(figure))

    def set_texts(self, caption: str, description: str) -> None:
        """Set the texts below the figure."""
        style = f"<style>{PAGE_STYLE}</style>"
        self._caption.value = f"{style}<p style='line-height:1.4'>{escape(caption)}</p>"
        self._words.value = (
            f"<details><summary>The same in words</summary><p style='line-height:1.4'>"
            f"{escape(description)}</p></details>"
        )

    def show_message(self, message: str) -> None:
        """Show a message instead of a figure."""
        self._replace(None)
        self._figure_box.children = (ipywidgets.HTML(sentence_html(message)),)
        self._caption.value = self._words.value = ""

    def _replace(self, figure: LiveFigure | None) -> None:
        """Show another widget, and close the old one, which frees its memory in the page too."""
        old, self.figure, self._drawn = self._figure_box.children, figure, None
        self._figure_box.children = () if figure is None else (figure,)
        for widget in old:
            widget.close()


def _alike(a: go.Figure, b: go.Figure) -> bool:
    """Whether two figures have the same traces on the same axes, and as many shapes and notes."""
    return _form(a) == _form(b)


def _form(figure: go.Figure) -> list[Any]:
    layout = figure.layout
    traces = [
        (trace.type, trace["xaxis"], trace["yaxis"]) if "xaxis" in trace else trace.type
        for trace in figure.data
    ]
    axes = sorted(name for name in layout.to_plotly_json() if "axis" in name)
    return [traces, axes, len(layout.annotations), len(layout.shapes)]


def _change(figure: LiveFigure, old: go.Figure, new: go.Figure) -> None:
    """Send what differs between two drawings of one form, in one message."""
    with figure.batch_update():
        for shown, before, after in zip(figure.data, old.data, new.data, strict=True):
            shown.update(_differences(before.to_plotly_json(), after.to_plotly_json()))
        figure.layout.update(_differences(old.layout.to_plotly_json(), new.layout.to_plotly_json()))


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The settings that turn `old` into `new`; None removes a setting."""
    changes: dict[str, Any] = {}
    for name in {**old, **new}:
        before, after = old.get(name, _ABSENT), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            if inner := _differences(before, after):
                changes[name] = inner
        elif not _same(before, after):
            changes[name] = after
    return changes


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return type(a) is type(b) and bool(a == b)
