"""`explore`, `compare`, `browse`: runs in a widget or, without its libraries, as a plain figure.

This module imports neither ipywidgets nor anywidget, so that the functions work without them.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fggm_lab.errors import LabError, MissingExtra
from fggm_lab.extras import require
from fggm_lab.plots import answer_changes, forgetting_curves, stability_plasticity
from fggm_lab.runs import Run, RunsLike, as_runs, forgotten_examples
from fggm_lab.runs.compare import comparable_runs, first_seeds
from fggm_lab.widgets import CONTROLS, LIBRARIES

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

    def widget(comparable: Sequence[Run]) -> "Widget":
        from fggm_lab.widgets.explorer import Explorer

        return Explorer(comparable)

    return _open(
        runs, "fggm-explore", widget, lambda several: forgetting_curves(first_seeds(several))
    )


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

    def widget(comparable: Sequence[Run]) -> "Widget":
        from fggm_lab.widgets.comparison import Comparison

        return Comparison(comparable)

    return _open(runs, "fggm-compare", widget, stability_plasticity)


def browse(runs: RunsLike) -> "Widget | go.Figure | None":
    """Browse a run's answers before and after in a notebook: what was lost, what was gained.

    Two stages of the run's model are compared, by default right after each example's own task and
    after the last one. Examples are filtered by task, by whether their score fell or rose, and by
    a text; of the one chosen the answers stand side by side, and on request the tokens of its
    prompt that the right answer depends on, at both stages (which needs the checkpoints of both).
    `forgotten_examples` gives the same examples as records.

    Args:
        runs: one run or several, with stored predictions, or a folder that holds them.

    Returns:
        a widget; without ipywidgets or anywidget the numbers of answers lost and gained as a plain
        figure, or None where there is nothing to draw.
    """

    def widget(opened: Sequence[Run]) -> "Widget":
        from fggm_lab.widgets.answers import AnswerBrowser

        return AnswerBrowser(opened)

    def draw(opened: Sequence[Run]) -> "go.Figure":
        run = opened[0]
        return answer_changes(forgotten_examples(run, change="all"), run.config.task_names)

    return _open(runs, "fggm-browse", widget, draw, as_runs)


def _open(
    runs: RunsLike,
    css: str,
    make_widget: Callable[[Sequence[Run]], "Widget"],
    draw: Callable[[Sequence[Run]], "go.Figure"],
    open_runs: Callable[[RunsLike], Sequence[Run]] = comparable_runs,
) -> "Widget | go.Figure | None":
    """Show runs in a widget; what is wrong with them becomes a sentence, not an error.

    Args:
        runs: runs or folders.
        css: the widget's class in the page.
        make_widget: makes the widget of the runs.
        draw: makes the figure shown where ipywidgets or anywidget is not installed.
        open_runs: opens the runs, and refuses those that the widget cannot show.

    Returns:
        the widget, or one that holds the sentence; without the widget libraries the figure, or
        None once the sentence is printed.
    """
    try:
        require(CONTROLS, *LIBRARIES)
    except MissingExtra as missing:
        print(missing)
        try:
            return draw(open_runs(runs))
        except LabError as error:
            print(error)
            return None
    from fggm_lab.widgets.lazy_widget import ErrorWidget

    try:
        return make_widget(open_runs(runs))
    except LabError as error:
        return ErrorWidget(css, str(error))
