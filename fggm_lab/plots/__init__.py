"""Plots: pure functions from records to Plotly figures, each with a text that says the same.

`FIGURES` lists them by name; the report, the explorers and the documentation read it.
"""

from collections.abc import Callable
from typing import NamedTuple

import plotly.graph_objects as go

from fggm_lab.plots.attribution import describe_attribution, drift_curve, token_text
from fggm_lab.plots.drift import describe_drift, drift_against_fisher
from fggm_lab.plots.forgetting import describe_forgetting, forgetting_curves
from fggm_lab.plots.lorenz import describe_lorenz, lorenz_curves
from fggm_lab.plots.overlap import describe_overlap, mask_overlap
from fggm_lab.plots.shares import share_per_layer
from fggm_lab.plots.spectra import describe_spectra, fisher_spectra
from fggm_lab.plots.stability import describe_stability, stability_curves
from fggm_lab.plots.theme import bare, caption_of, description_of


class FigureKind(NamedTuple):
    """A figure: what draws it, what says it in words, and its heading."""

    draw: Callable[..., go.Figure]
    describe: Callable[..., str]
    heading: str


FIGURES: dict[str, FigureKind] = {
    "forgetting_curves": FigureKind(forgetting_curves, describe_forgetting, "Forgetting curves"),
    "fisher_spectra": FigureKind(fisher_spectra, describe_spectra, "Fisher spectra"),
    "mask_overlap": FigureKind(mask_overlap, describe_overlap, "Mask overlap between tasks"),
}

__all__ = [
    "FIGURES",
    "FigureKind",
    "bare",
    "caption_of",
    "describe_attribution",
    "describe_drift",
    "describe_forgetting",
    "describe_lorenz",
    "describe_overlap",
    "describe_spectra",
    "describe_stability",
    "description_of",
    "drift_against_fisher",
    "drift_curve",
    "fisher_spectra",
    "forgetting_curves",
    "lorenz_curves",
    "mask_overlap",
    "share_per_layer",
    "stability_curves",
    "token_text",
]
