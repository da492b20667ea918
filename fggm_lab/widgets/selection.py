"""The controls that all tabs of an explorer follow: method, task, layer, keep share and scope."""

from collections.abc import Iterable

import ipywidgets
import plotly.graph_objects as go

from fggm_lab.errors import LabError
from fggm_lab.mask_settings import MaskSettings
from fggm_lab.masks import SCOPES
from fggm_lab.masks.pairs import in_order
from fggm_lab.models.names import split_name
from fggm_lab.plots.mask_overlap import OUTSIDE_LAYERS, part_name
from fggm_lab.runs import Run
from fggm_lab.widgets.controls import WIDE, Controls, choice, switch
from fggm_lab.widgets.run_cache import RunCache

WHOLE_MODEL = part_name(None)
"""The entry for all layers; the list cannot hold None, which it would show as an empty field."""


class Selection(Controls):
    """The controls above the tabs, and what they select.

    At first that is the first run with Fisher scores, and the keep share and scope it trained with.
    """

    def __init__(self, cache: RunCache) -> None:
        """Args:
        cache: the runs to choose from.
        """
        self._cache = cache
        runs = list(cache.runs.values())
        first = self._first_scored()
        used = _mask_settings([cache.runs[first], *runs])
        super().__init__(
            method=choice("method"),
            task=choice("task", runs[0].config.task_names),
            layer=choice("layer"),
            keep=ipywidgets.FloatSlider(
                used.keep,
                min=0.01,
                max=1,
                step=0.01,
                description="keep share",
                readout_format=".0%",
                style=WIDE,
                layout={"width": "420px", "max_width": "100%"},
                # While the kernel draws, the page collects moves and then sends the latest.
                continuous_update=True,
            ),
            scope=switch("scope", SCOPES, used.scope, "90px"),
        )
        self.refresh()
        self.named["method"].value = first

    def refresh(self) -> None:
        """Read again which runs are finished, and which layers their scores have."""
        runs = self._cache.runs.items()
        self.offer(
            "method",
            [(name if run.finished else f"{name} (unfinished)", name) for name, run in runs],
        )
        self._layers = {part_name(layer): layer for layer in (None, *self._scored_layers())}
        self.offer("layer", list(self._layers))

    @property
    def run(self) -> Run:
        """The run of the method selected."""
        return self._cache.runs[self["method"]]

    @property
    def layer(self) -> int | None:
        """The layer's number, `OUTSIDE_LAYERS`, or None for the whole model."""
        return self._layers[self["layer"]]

    def within(self, names: Iterable[str]) -> list[str]:
        """The names of those parameters that lie in the layer selected."""
        if self.layer is None:
            return list(names)
        layer = None if self.layer == OUTSIDE_LAYERS else self.layer
        return [name for name in names if split_name(name).layer == layer]

    def note_layer(self, figure: go.Figure) -> go.Figure:
        """Say in a figure's caption and description that it shows the layer selected alone."""
        if self.layer is None:
            return figure
        only = f"{self['layer'].capitalize()} only."
        meta = figure.layout.meta
        texts = {key: f"{only} {meta[key]}" for key in ("caption", "description")}
        return figure.update_layout(meta={**meta, **texts})

    def _first_scored(self) -> str:
        """The first run that has Fisher scores, else the first."""
        scored = [name for name, run in self._cache.runs.items() if self._names(run)]
        return next(iter(scored), next(iter(self._cache.runs)))

    def _scored_layers(self) -> list[int]:
        """The layers of the first scores that can be read; all runs are of one model."""
        per_run = (self._names(run) for run in self._cache.runs.values())
        names: list[str] = next((names for names in per_run if names), [])
        layers = in_order(split_name(name).layer for name in names)
        return [OUTSIDE_LAYERS if layer is None else layer for layer in layers]

    def _names(self, run: Run) -> list[str]:
        """The parameters of a run's first scores; none where those cannot be read."""
        try:
            return self._cache.scores(run, self._cache.scored(run)[0]).names
        except LabError:  # the tabs say what is wrong with it
            return []


def _mask_settings(runs: Iterable[Run]) -> MaskSettings:
    """The mask settings of the first run that has any, else the default ones."""
    return next(
        (settings for run in runs if (settings := run.config.mask_settings) is not None),
        MaskSettings(),
    )
