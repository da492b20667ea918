"""Did forgetting come from moving what mattered? How far units moved against earlier scores."""

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.plots import drift_against_fisher
from fggm_lab.widgets.run_cache import RunCache
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.tab import Tab, View


class DriftTab(Tab):
    """Movement in the chosen task, against the Fisher scores of every task before it."""

    def __init__(self, selection: Selection, cache: RunCache) -> None:
        """Args:
        selection: the controls above the tabs.
        cache: what the runs recorded.
        """
        self._selection, self._cache = selection, cache
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
        drift = self._cache.drift(run, task)
        scores = {}
        for earlier in self._cache.scored(run):
            if earlier in before:
                all_layers = self._cache.scores(run, earlier)
                names = self._selection.within(all_layers.names)
                scores[earlier] = all_layers.restricted(names)
        return self._selection.note_layer(drift_against_fisher(scores, drift))
