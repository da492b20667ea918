"""Names in figures: Plotly reads tags and entities in every text, and a name is to be shown."""

from html import escape, unescape
from typing import Any

import plotly.graph_objects as go

from fggm_lab.escaping import visible


def as_label(name: str) -> str:
    """A name as Plotly is to be given it, so that it shows just this name.

    Args:
        name: from data: a task, a method, a run; or a label, which stays as it is.

    Returns:
        The name with its tags and entities escaped; one without a visible character in quotes.
    """
    text = escape(unescape(visible(name)), quote=False)
    return text if text.strip() else f"“{text}”"


def plain(text: str) -> str:
    """A label as the name that it shows."""
    return unescape(text)


def with_labels(figure: go.Figure) -> go.Figure:
    """Make labels of a figure's names: of its traces, and along its axes of names.

    Args:
        figure: changed in place; a second time changes nothing.

    Returns:
        The figure.
    """
    for trace in figure.data:
        if trace.name is not None:
            trace.name = as_label(trace.name)
        for letter in "xy":
            if letter in trace and _holds_names(trace[letter]):
                trace[letter] = [_value(value) for value in trace[letter]]
    for mark in (*figure.layout.annotations, *figure.layout.shapes):
        for key in ("x", "y", "x0", "x1", "y0", "y1"):
            if key in mark and isinstance(mark[key], str):
                mark[key] = as_label(mark[key])
    return figure


def _holds_names(values: Any) -> bool:
    """Whether values along an axis are names; an array of numbers is not gone through."""
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    return values is not None and kind in "OU" and any(isinstance(v, str) for v in values)


def _value(value: Any) -> Any:
    return as_label(value) if isinstance(value, str) else value
