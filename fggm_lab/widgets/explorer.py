"""`explore`: one or more runs in tabs, all of which look at one selection."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fggm_lab.plots import forgetting_curves
from fggm_lab.runs import Run, RunsLike
from fggm_lab.runs.compare import first_seeds
from fggm_lab.widgets.given import checked

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from ipywidgets import Widget


def explore(runs: RunsLike) -> "Widget | go.Figure | None":
    """Look at runs in a notebook: forgetting, Fisher spectra, masks, overlap, drift.

    One selection (method, task, layer, keep share, scope) moves all tabs. Masks and overlaps are
    cut from the stored Fisher scores at the keep share chosen, whatever the run trained with. Runs
    still being written are shown as far as they got; a button reads them again. What is wrong with
    a run is said in the widget.

    Args:
        runs: one run or several of one model over the same tasks, or a folder that holds them.

    Returns:
        a widget; without ipywidgets or anywidget the forgetting curves as a plain figure, or None
        where there is nothing to draw.
    """
    return checked(runs, "fggm-explore", _explorer, _figure)


def _explorer(runs: Sequence[Run]) -> "Widget":
    from fggm_lab.widgets.explorer_widget import Explorer

    return Explorer(runs)


def _figure(runs: Sequence[Run]) -> "go.Figure":
    return forgetting_curves(first_seeds(runs))
