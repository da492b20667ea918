"""What all views of an explorer look at: one method, task, layer, keep share and scope."""

from collections.abc import Iterable

import ipywidgets
import plotly.graph_objects as go

from fggm_lab.errors import LabError
from fggm_lab.masks import SCOPES
from fggm_lab.masks.pairs import in_order
from fggm_lab.models.names import split_name
from fggm_lab.plots.mask_overlap import OUTSIDE, layer_name
from fggm_lab.runs import Run
from fggm_lab.widgets.controls import WIDE, Controls, choice, switch
from fggm_lab.widgets.records import Records

WHOLE = layer_name(None)
"""Stands for no layer in the list: one that holds None would look empty."""


class Selection(Controls):
    """The controls above the tabs; what they show is what is selected."""

    def __init__(self, records: Records) -> None:
        self._records = records
        runs = list(records.runs.values())
        used = next((r.config.method_settings for r in runs if r.config.method == "fggm"), {})
        super().__init__(
            method=choice("method"),
            task=choice("task", runs[0].config.task_names),
            layer=choice("layer"),
            keep=ipywidgets.FloatSlider(
                used.get("keep", 0.3),
                min=0.01,
                max=1,
                step=0.01,
                description="keep share",
                readout_format=".0%",
                style=WIDE,
                layout={"width": "420px", "max_width": "100%"},
                # the page holds moves back while the kernel draws, and sends the latest afterwards
                continuous_update=True,
            ),
            scope=switch("scope", SCOPES, used.get("scope", "layer"), "70px"),
        )
        self.refresh()
        self.named["method"].value = self._first_scored()

    def refresh(self) -> None:
        """Look again how far the runs have come, and which layers their scores have."""
        runs = self._records.runs.items()
        self.offer("method", [(n if r.finished else f"{n} (unfinished)", n) for n, r in runs])
        self._layers = {layer_name(n): n for n in (None, *self._known_layers())}
        self.offer("layer", list(self._layers))

    @property
    def run(self) -> Run:
        """The run of the method selected."""
        return self._records.runs[self["method"]]

    @property
    def layer(self) -> int | None:
        """The layer's number, `OUTSIDE`, or None for the whole model."""
        return self._layers[self["layer"]]

    def within(self, names: Iterable[str]) -> list[str]:
        """Those of some parameters that lie in the layer selected."""
        if self.layer is None:
            return list(names)
        wanted = None if self.layer == OUTSIDE else self.layer
        return [name for name in names if split_name(name).layer == wanted]

    def noted(self, figure: go.Figure) -> go.Figure:
        """A figure of the layer selected alone, its words saying so."""
        if self.layer is None:
            return figure
        only = f"{self['layer'].capitalize()} only."
        said = {key: f"{only} {figure.layout.meta[key]}" for key in ("caption", "description")}
        return figure.update_layout(meta={**figure.layout.meta, **said})

    def _first_scored(self) -> str:
        """The first run that has Fisher scores, else the first."""
        scored = [name for name, run in self._records.runs.items() if self._names(run)]
        return next(iter(scored), next(iter(self._records.runs)))

    def _known_layers(self) -> list[int]:
        """The layers of the first scores that can be read; all runs are of one model."""
        found = next((n for run in self._records.runs.values() if (n := self._names(run))), [])
        layers = in_order(split_name(name).layer for name in found)
        return [OUTSIDE if layer is None else layer for layer in layers]

    def _names(self, run: Run) -> list[str]:
        """The parameters of a run's first scores; none where those cannot be read."""
        try:
            return self._records.scores(run, self._records.scored(run)[0]).names
        except LabError:  # the views say what is wrong with it
            return []
