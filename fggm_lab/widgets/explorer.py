"""`explore`: the three figures of one or more runs in tabs, with controls that redraw them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fggm_lab.errors import RunError
from fggm_lab.plots import forgetting_curves
from fggm_lab.runs import Run

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from ipywidgets import Widget


def explore(runs: Run | Sequence[Run]) -> "Widget | go.Figure":
    """Look at runs in a notebook: forgetting curves, Fisher spectra, mask overlap, with controls.

    Runs still being written are shown as far as they got; the button reads them again.

    Args:
        runs: one run or several over the same tasks.

    Returns:
        a widget; without ipywidgets or anywidget the forgetting curves as a plain figure.

    Raises:
        RunError: there is no run.
    """
    several = [runs] if isinstance(runs, Run) else list(runs)
    if not several:
        raise RunError("there is no run to explore; make one with run_sequence or fggm-lab run")
    try:
        import anywidget  # noqa: F401
        import ipywidgets
    except ImportError:
        print("Controls need ipywidgets and anywidget (pip install ipywidgets anywidget).")
        return forgetting_curves(several)
    from fggm_lab.widgets.tabs import ForgettingTab, OverlapTab, SpectraTab

    parts: list[Any] = [ForgettingTab(several), SpectraTab(several), OverlapTab(several)]
    tabs = ipywidgets.Tab(
        children=[part.box for part in parts],
        titles=["Forgetting", "Fisher spectra", "Mask overlap"],
    )
    again = ipywidgets.Button(description="Read runs again", icon="refresh")

    def read_again(_: object) -> None:
        for part in parts:
            part.refresh()

    again.on_click(read_again)
    return ipywidgets.VBox([tabs, again])
