"""The widget of `compare`: methods to tick, their table, and figures that set them side by side."""

from collections.abc import Sequence

import ipywidgets
import plotly.graph_objects as go

from fggm_lab.errors import LabError, RunError
from fggm_lab.plots import forgetting_curves, paired_differences, stability_plasticity
from fggm_lab.plots.score_curves import GENERAL
from fggm_lab.plots.static_picture import StaticPicture
from fggm_lab.runs import Run, comparison, over_seeds
from fggm_lab.runs.compare import first_seeds, group_labels
from fggm_lab.sentences import sentence_html
from fggm_lab.tables import numbers_html
from fggm_lab.widgets.controls import Controls, Ticks, choice, switch
from fggm_lab.widgets.lazy_widget import LazyWidget
from fggm_lab.widgets.tabs.group import TabGroup
from fggm_lab.widgets.tabs.tab import Tab, View

_STYLE = """<style>
.fggm-table table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  line-height: 1.5; }
.fggm-table th, .fggm-table td { padding: 2px 10px; text-align: right; }
.fggm-table th:first-child, .fggm-table caption { text-align: left; }
.fggm-table tr { border-bottom: 1px solid rgba(127,127,127,.3); }
.fggm-table .scroll { overflow-x: auto; }
</style>"""
_FIRST, _ALL = "first of each method", "all"


class Comparison(LazyWidget):
    """Runs of one model over the same tasks, means by method.

    Attributes:
        selection: the methods ticked and the task, once the widget is filled.
        tabs: the tabs, once the widget is filled.
    """

    css = "fggm-compare"

    def __init__(self, runs: Sequence[Run]) -> None:
        """Args:
        runs: runs that can be compared, of one model.
        """
        self._runs = list(runs)
        super().__init__()

    def build(self) -> list[ipywidgets.Widget]:
        """Methods and task, the table, the figures, the button."""
        methods = list(dict.fromkeys(group_labels(self._runs)))
        self.selection = Controls(
            methods=Ticks(methods), task=choice("task", self._runs[0].config.task_names)
        )
        self._table = ipywidgets.HTML().add_class("fggm-table")
        self._show_table()
        self.tabs = TabGroup([self._plane(), self._paired(methods), self._curves()])
        self.selection.listen(self._selection_changed)
        button = ipywidgets.Button(description="Read runs again", icon="refresh")
        button.on_click(self._read_again)
        return [self.selection.box, self._table, self.tabs.box, button]

    def static(self) -> StaticPicture:
        """The table and the stability–plasticity plane."""
        return StaticPicture.of(stability_plasticity(self._runs), _table(self._runs))

    # Tabs

    def _plane(self) -> Tab:
        views = {
            "BWT": View(lambda: stability_plasticity(self._ticked()), ("methods",)),
            GENERAL: View(lambda: stability_plasticity(self._ticked(), "general"), ("methods",)),
        }
        return Tab("Stability–plasticity", "fggm-tab-plane", views)

    def _paired(self, methods: Sequence[str]) -> Tab:
        def draw() -> go.Figure:
            return paired_differences(self._ticked(), baseline.value)

        baseline = choice("baseline", methods)
        views = {"differences": View(draw, ("methods",), ("baseline",))}
        return Tab("Paired differences", "fggm-tab-paired", views, baseline=baseline)

    def _curves(self) -> Tab:
        several_seeds = len(first_seeds(self._runs)) < len(self._runs)
        own_controls = ("seeds",) if several_seeds else ()

        def runs() -> list[Run]:
            ticked = self._ticked()
            return ticked if seeds.value == _ALL else first_seeds(ticked)

        seeds = switch("seeds", [_FIRST, _ALL])
        views = {
            "chosen task": View(
                lambda: forgetting_curves(runs(), self.selection["task"]),
                ("methods", "task"),
                own_controls,
            ),
            GENERAL: View(lambda: forgetting_curves(runs(), GENERAL), ("methods",), own_controls),
        }
        return Tab("Forgetting", "fggm-tab-forgetting", views, seeds=seeds)

    # What the controls do

    def _ticked(self) -> list[Run]:
        """The runs whose methods are ticked.

        Returns:
            the runs, in the order the widget was given.

        Raises:
            RunError: no method is ticked.
        """
        chosen = self.selection["methods"]
        if not chosen:
            raise RunError("nothing is selected; tick a method")
        labels = group_labels(self._runs)
        return [run for run, label in zip(self._runs, labels, strict=True) if label in chosen]

    def _selection_changed(self, name: str) -> None:
        if name == "methods":
            self._show_table()
        self.tabs.note_change(name)

    def _read_again(self, _: object) -> None:
        self._show_table()
        self.tabs.refresh()

    def _show_table(self) -> None:
        try:
            self._table.value = _STYLE + _table(self._ticked())
        except LabError as error:
            self._table.value = sentence_html(str(error))


def _table(runs: Sequence[Run]) -> str:
    """Means over seeds where there are several, else the runs as they are."""
    rows = comparison(runs)
    means = over_seeds(rows)
    if len(means) == len(rows):
        return numbers_html("One seed each", rows)
    return numbers_html("Mean ± sample standard deviation over seeds", means)
