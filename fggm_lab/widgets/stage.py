"""Where an explorer's figure stands: changed in place while it keeps its shape, its words below."""

from html import escape
from typing import Any

import ipywidgets
import numpy as np
import plotly.graph_objects as go
import traitlets
from plotly.serializers import custom_serializers

from fggm_lab.plots import bare, caption_of, description_of

_ABSENT = object()


class LiveFigure(go.FigureWidget):
    """A FigureWidget as wide as its place, which a reloaded page finds as it is now."""

    def __init__(self, figure: go.Figure) -> None:
        super().__init__(figure)
        self._config = {"responsive": True, "displaylogo": False}

    @traitlets.observe("_js2py_traceDeltas")
    def _handler_js2py_traceDeltas(self, change: dict[str, Any]) -> None:
        """Drop the page's report of its defaults: of many traces it takes longer than to draw."""
        if change["new"]:
            self._trace_edit_in_process = False
            self._js2py_traceDeltas = None

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The state a page asks for; Plotly's own has the data from before any change."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if "_data" in vars(self):  # it is asked for while the widget is being made, too
            now = {"_widget_data": self._data, "_widget_layout": self._layout_obj._props}
            to_json = custom_serializers["to_json"]
            state |= {name: to_json(value, self) for name, value in now.items() if name in state}
        return state


class Stage:
    """A figure, its caption and, folded away, the same in words; or a sentence in their place.

    Attributes:
        figure: the figure shown; None where a sentence says why there is none.
        box: the widget.
    """

    def __init__(self) -> None:
        self.figure: LiveFigure | None = None
        self._drawn: go.Figure | None = None
        self._place = ipywidgets.VBox()
        self._caption = ipywidgets.HTML()
        self._words = ipywidgets.HTML()
        self.box = ipywidgets.VBox([self._place, self._caption, self._words])

    @property
    def text(self) -> str:
        """What is said at the moment, as HTML: the sentence, or the caption and the words."""
        parts = [one for one in self._place.children if isinstance(one, ipywidgets.HTML)]
        return "".join(part.value for part in [*parts, self._caption, self._words])

    def show(self, figure: go.Figure) -> None:
        """Put a figure in place of the one shown; one of the same shape changes what differs.

        What a reader did to the figure, a zoom or a line switched off, stays where nothing differs.
        """
        plain = bare(figure).update_layout(autosize=True)
        if self.figure is not None and self._drawn is not None and _alike(self._drawn, plain):
            _change(self.figure, self._drawn, plain)
        else:
            self._put(LiveFigure(plain))
        self._drawn = plain
        self.say(caption_of(figure), description_of(figure))

    def changed(self, words: str) -> None:
        """Say the figure anew after a plot function changed it in place."""
        assert self.figure is not None
        self._drawn = None  # what it was drawn from is no longer what it shows
        self.say(caption_of(self.figure), words)

    def say(self, caption: str, words: str) -> None:
        """Set the texts below the figure."""
        self._caption.value = f"<p style='line-height:1.4'>{escape(caption)}</p>"
        self._words.value = (
            f"<details><summary>The same in words</summary><p style='line-height:1.4'>"
            f"{escape(words)}</p></details>"
        )

    def refuse(self, why: str) -> None:
        """Say why there is no figure."""
        self._put(None)
        self._place.children = (ipywidgets.HTML(sentence(why)),)
        self._caption.value = self._words.value = ""

    def _put(self, figure: LiveFigure | None) -> None:
        """Replace the widget shown; the old one's end frees it in the page, too."""
        gone, self.figure, self._drawn = self._place.children, figure, None
        self._place.children = () if figure is None else (figure,)
        for widget in gone:
            widget.close()


def sentence(text: str) -> str:
    """An error's message as HTML, in a full sentence."""
    return f"<p role='status'>{escape(in_full(text))}</p>"


def in_full(text: str) -> str:
    """A message with a capital letter at its beginning and a full stop at its end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _alike(a: go.Figure, b: go.Figure) -> bool:
    """Whether two figures have the same traces on the same axes, and as many shapes and notes."""
    return _shape(a) == _shape(b)


def _shape(figure: go.Figure) -> list[Any]:
    layout = figure.layout
    traces = [(t.type, t["xaxis"], t["yaxis"]) if "xaxis" in t else t.type for t in figure.data]
    axes = sorted(name for name in layout.to_plotly_json() if "axis" in name)
    return [traces, axes, len(layout.annotations), len(layout.shapes)]


def _change(figure: LiveFigure, old: go.Figure, new: go.Figure) -> None:
    """Send what differs between two drawings of one shape, in one message."""
    with figure.batch_update():
        for shown, before, after in zip(figure.data, old.data, new.data, strict=True):
            shown.update(_differences(before.to_plotly_json(), after.to_plotly_json()))
        figure.layout.update(_differences(old.layout.to_plotly_json(), new.layout.to_plotly_json()))


def _differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """What to set so that `old` becomes `new`: None takes a setting away."""
    found: dict[str, Any] = {}
    for name in {**old, **new}:
        before, after = old.get(name, _ABSENT), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            if inner := _differences(before, after):
                found[name] = inner
        elif not _same(before, after):
            found[name] = after
    return found


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return type(a) is type(b) and bool(a == b)
