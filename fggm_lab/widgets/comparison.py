"""`compare`: methods side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fggm_lab.plots import stability_plasticity
from fggm_lab.runs import Run, RunsLike
from fggm_lab.widgets.given import checked

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from ipywidgets import Widget


def compare(runs: RunsLike) -> "Widget | go.Figure | None":
    """Compare methods in a notebook: their table, stability and plasticity, paired differences.

    Numbers are means over seeds with their spread. Runs still being written are shown as far as
    they got, and marked. Runs that cannot be compared are named in the widget.

    Args:
        runs: several runs of one model over the same tasks, or a folder that holds them.

    Returns:
        a widget; without ipywidgets or anywidget the stability–plasticity plane as a plain figure,
        or None where there is nothing to draw.
    """
    return checked(runs, "fggm-compare", _comparison, stability_plasticity)


def _comparison(runs: Sequence[Run]) -> "Widget":
    from fggm_lab.widgets.comparison_widget import Comparison

    return Comparison(runs)
