"""What explorers are given: runs or folders of them, or something that is no use."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fggm_lab.errors import LabError, RunError
from fggm_lab.runs import Run, check_comparable, find_runs
from fggm_lab.runs.compare import check_same_model

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from ipywidgets import Widget

Given = Run | str | Path | Iterable[Run | str | Path]
"""What explorers take: runs, folders with runs in them, or several of either."""


def runs_of(given: Given) -> list[Run]:
    """The runs given, those in folders opened.

    Raises:
        RunError: there is no run, a run cannot be opened, or something else was given.
    """
    if isinstance(given, Run):
        return [given]
    if isinstance(given, str | Path):
        if found := find_runs(given):
            return found
        raise RunError(f"there is no run under {given}; name a folder that fggm-lab run has made")
    if not isinstance(given, Iterable):
        raise RunError(f"a run or a folder of runs is needed, not {given!r}; see lab.find_runs")
    several = [run for one in given for run in runs_of(one)]
    if not several:
        raise RunError("there is no run to look at; make one with run_sequence or fggm-lab run")
    return several


def checked(
    given: Given,
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


def _one_kind(given: Given) -> list[Run]:
    """The runs given, of one model over the same tasks.

    Raises:
        LabError: there are none, or they are not.
    """
    runs = runs_of(given)
    check_comparable(runs)
    check_same_model(runs)
    return runs
