"""How unequal units are: Fisher spectra of the chosen task."""

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.plots import (
    fisher_spectra,
    lorenz_curves,
    score_heatmap,
    score_histograms,
    spectra_overlaid,
    spectrum_growth,
)
from fggm_lab.plots.fisher_spectra import modules_of, show_keep, show_module
from fggm_lab.widgets.controls import choice
from fggm_lab.widgets.run_cache import RunCache
from fggm_lab.widgets.selection import Selection
from fggm_lab.widgets.tabs.tab import Tab, View

ALL_MODULES = "all modules"


class SpectraTab(Tab):
    """Sorted scores, their distribution, where they sit, how few hold how much, how they grow."""

    def __init__(self, selection: Selection, cache: RunCache) -> None:
        """Args:
        selection: the controls above the tabs.
        cache: what the runs recorded.
        """
        self._selection, self._cache = selection, cache
        shared = ("method", "task", "layer")
        cut = ("keep", "scope")
        views = {
            "sorted": View(self._sorted, (*shared, *cut), ("module",), self._update_cut),
            "histogram": View(self._histograms, shared),
            "heatmap": View(lambda: score_heatmap(self._scores()), ("method", "task")),
            "Lorenz curve": View(self._lorenz, (*shared, "keep")),
            "along the task": View(self._growth, shared),
            "tasks overlaid": View(self._overlaid, ("method", "layer")),
        }
        module = choice("module", [ALL_MODULES])
        super().__init__("Fisher spectra", "fggm-tab-spectra", views, module=module)

    def _restricted(self, scores: FisherScores) -> FisherScores:
        """The scores of the layer selected."""
        return scores.restricted(self._selection.within(scores.names))

    def _scores(self) -> FisherScores:
        return self._cache.scores(self._selection.run, self._selection["task"])

    def _histograms(self) -> go.Figure:
        return self._selection.note_layer(score_histograms(self._restricted(self._scores())))

    def _sorted(self) -> go.Figure:
        scores = self._scores()
        self.controls.offer("module", [ALL_MODULES, *modules_of(scores)])
        selection = self._selection
        figure = fisher_spectra(scores, selection["keep"], selection["scope"], controls=False)
        module = self.controls["module"]
        show_module(
            figure,
            None if module == ALL_MODULES else module,
            None if selection.layer is None else selection["layer"],
        )
        return figure

    def _update_cut(self, figure: go.Figure) -> str:
        return show_keep(figure, self._scores(), self._selection["keep"], self._selection["scope"])

    def _lorenz(self) -> go.Figure:
        scores = self._restricted(self._scores())
        return self._selection.note_layer(lorenz_curves(scores, self._selection["keep"]))

    def _growth(self) -> go.Figure:
        run, task = self._selection.run, self._selection["task"]
        self._cache.ranking(run, task)  # raises where there are no scores at all
        along = run.fisher_along(task)
        if len(along) < 2:
            raise RunError(
                f"{run.path} has scores before {task} alone, none along it; record them with "
                "run_sequence(…, fisher_points=4) or fggm-lab run --fisher-points 4"
            )
        by_step = {step: self._restricted(scores) for step, scores in along.items()}
        return self._selection.note_layer(spectrum_growth(by_step, task))

    def _overlaid(self) -> go.Figure:
        run = self._selection.run
        by_task = {
            task: self._restricted(self._cache.scores(run, task))
            for task in self._cache.scored(run)
        }
        return self._selection.note_layer(spectra_overlaid(by_task, controls=False))
