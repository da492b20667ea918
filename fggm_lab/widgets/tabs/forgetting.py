"""What becomes of the scores: curves, the score matrix, stability against plasticity."""

from collections.abc import Sequence

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.plots import forgetting_curves, score_matrix, stability_plasticity
from fggm_lab.plots.score_curves import GENERAL
from fggm_lab.runs import Run
from fggm_lab.widgets.controls import Ticks, switch
from fggm_lab.widgets.records import Records
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.base import Tab, View


class ForgettingTab(Tab):
    """Forgetting curves of the ticked runs, the score matrix, the stability–plasticity plane."""

    def __init__(self, selection: Selection, records: Records) -> None:
        self._selection, self._records = selection, records
        runs = Ticks(list(records.runs))
        own = ("runs",) if len(records.runs) > 1 else ()
        views = {
            "all tasks": View(lambda: forgetting_curves(self.ticked()), (), own),
            "chosen task": View(self._task, ("task",), own),
            GENERAL: View(lambda: forgetting_curves(self.ticked(), GENERAL), (), own),
            "score matrix": View(lambda: score_matrix(selection.run), ("method",)),
            "stability–plasticity": View(self._plane, (), (*own, "stability")),
        }
        stability = switch("stability", [("BWT", "bwt"), (GENERAL, "general")], width="80px")
        super().__init__("Forgetting", "fggm-tab-forgetting", views, runs=runs, stability=stability)

    def ticked(self) -> Sequence[Run]:
        """The runs whose boxes are ticked.

        Raises:
            RunError: none is.
        """
        return ticked(self._records, self.controls["runs"])

    def _task(self) -> go.Figure:
        return forgetting_curves(self.ticked(), self._selection["task"])

    def _plane(self) -> go.Figure:
        return stability_plasticity(self.ticked(), self.controls["stability"])


def ticked(records: Records, labels: Sequence[str]) -> list[Run]:
    """The runs of some labels.

    Raises:
        RunError: there is none.
    """
    if not labels:
        raise RunError("nothing is selected; tick a method")
    return [records.runs[label] for label in labels]
