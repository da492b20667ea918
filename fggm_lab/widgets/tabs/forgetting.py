"""How scores change as tasks are learned: curves, score matrix, stability against plasticity."""

from collections.abc import Sequence

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.plots import forgetting_curves, score_matrix, stability_plasticity
from fggm_lab.plots.score_curves import GENERAL
from fggm_lab.runs import Run
from fggm_lab.widgets.controls import Ticks, switch
from fggm_lab.widgets.run_cache import RunCache
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.tab import Tab, View


class ForgettingTab(Tab):
    """Forgetting curves of the ticked runs, the score matrix, the stability–plasticity plane."""

    def __init__(self, selection: Selection, cache: RunCache) -> None:
        """Args:
        selection: the controls above the tabs.
        cache: what the runs recorded.
        """
        self._selection, self._cache = selection, cache
        runs = Ticks(list(cache.runs))
        own_controls: tuple[str, ...] = ("runs",) if len(cache.runs) > 1 else ()
        views = {
            "all tasks": View(lambda: forgetting_curves(self.ticked()), (), own_controls),
            "chosen task": View(self._task, ("task",), own_controls),
            GENERAL: View(lambda: forgetting_curves(self.ticked(), GENERAL), (), own_controls),
            "score matrix": View(lambda: score_matrix(selection.run), ("method",)),
            "stability–plasticity": View(self._plane, (), (*own_controls, "stability")),
        }
        stability = switch("stability", [("BWT", "bwt"), (GENERAL, "general")], width="80px")
        super().__init__("Forgetting", "fggm-tab-forgetting", views, runs=runs, stability=stability)

    def ticked(self) -> Sequence[Run]:
        """The runs whose boxes are ticked.

        Returns:
            at least one run.

        Raises:
            RunError: no box is ticked.
        """
        labels = self.controls["runs"]
        if not labels:
            raise RunError("nothing is selected; tick a method")
        return [self._cache.runs[label] for label in labels]

    def _task(self) -> go.Figure:
        return forgetting_curves(self.ticked(), self._selection["task"])

    def _plane(self) -> go.Figure:
        return stability_plasticity(self.ticked(), self.controls["stability"])
