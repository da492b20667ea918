"""Plotly's JavaScript for pages that stand alone.

The package plotly brings the whole library, 4.8 MB. What the lab draws (lines, bars, heatmaps)
needs its cartesian part alone, 1.5 MB, which plotly.js publishes as a file of its own. That file
is shipped here, unchanged, with its licence.
"""

from collections.abc import Iterable
from pathlib import Path

from plotly.offline import get_plotlyjs

_FILE = Path(__file__).parent / "javascript" / "plotly-cartesian.min.js"

_CARTESIAN = frozenset({
    "bar", "box", "contour", "heatmap", "histogram", "histogram2d", "histogram2dcontour", "image",
    "pie", "scatter", "violin",
})  # fmt: skip
"""Types of traces that the cartesian part draws."""


def plotly_js(trace_types: Iterable[str] = ()) -> str:
    """The source of Plotly's JavaScript, which defines `Plotly`.

    Args:
        trace_types: the types of the traces to draw.

    Returns:
        The cartesian part; the whole library where a trace is of another type, as in a figure of a
        user's own.
    """
    if _CARTESIAN.issuperset(trace_types):
        return _FILE.read_text(encoding="utf-8")
    return str(get_plotlyjs())
