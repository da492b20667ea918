"""Did forgetting come from moving what mattered? How far units moved against earlier scores."""

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.plots import drift_against_fisher
from fggm_lab.widgets.records import Records
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.base import Tab, View


class DriftTab(Tab):
    """Movement in the chosen task, against the Fisher scores of every task before it."""

    def __init__(self, selection: Selection, records: Records) -> None:
        self._selection, self._records = selection, records
        views = {"against earlier tasks": View(self._earlier, ("method", "task", "layer"))}
        super().__init__("Drift", "fggm-tab-drift", views)

    def _earlier(self) -> go.Figure:
        run, task = self._selection.run, self._selection["task"]
        before = run.config.task_names[: run.task_index(task)]
        if not before:
            raise RunError(
                f"{task} is the first task, nothing was learned before it; choose a later one to "
                "see whether its training moved what mattered to the earlier ones"
            )
        drift = self._records.drift(run, task)
        scored = [one for one in self._records.scored(run) if one in before]
        every = {one: self._records.scores(run, one) for one in scored}
        some = {t: s.restricted(self._selection.within(s.names)) for t, s in every.items()}
        figure = drift_against_fisher(some, drift)
        return self._selection.noted(figure)
