"""What explorers are given: runs or folders of them, or something that is no use."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fggm_lab.errors import LabError
from fggm_lab.runs import Run, RunsLike, as_runs, check_comparable
from fggm_lab.runs.compare import check_same_model

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from ipywidgets import Widget


def checked(
    given: RunsLike,
    css: str,
    widget: Callable[[Sequence[Run]], "Widget"],
    figure: Callable[[Sequence[Run]], "go.Figure"],
) -> "Widget | go.Figure | None":
    """An explorer of the runs given, or what stands for it; never an error of theirs.

    Args:
        given: runs or folders.
        css: the explorer's class in the page.
        widget: makes the explorer.
        figure: what to show where there are no widgets.
    """
    try:
        import anywidget  # noqa: F401
        import ipywidgets  # noqa: F401
    except ImportError:
        print("Controls need ipywidgets and anywidget (pip install ipywidgets anywidget).")
        try:
            return figure(_one_kind(given))
        except LabError as problem:
            print(problem)
            return None
    from fggm_lab.widgets.shell import Refusal

    try:
        return widget(_one_kind(given))
    except LabError as problem:
        return Refusal(css, str(problem))


def _one_kind(given: RunsLike) -> list[Run]:
    """The runs given, of one model over the same tasks.

    Raises:
        LabError: there are none, or they are not.
    """
    runs = as_runs(given)
    check_comparable(runs)
    check_same_model(runs)
    return runs
