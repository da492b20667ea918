"""Plots: pure functions from records to Plotly figures, each with a text that says the same.

`FIGURES` lists them by name, with the heading of each; the report and the documentation read it.
`figure_kind` also finds the figures that users bring along.
"""

from typing import Any

from fggm_lab.deprecation import warn_renamed
from fggm_lab.extras import require

require("drawing figures", "plotly")

from fggm_lab.plots.answer_changes import answer_changes
from fggm_lab.plots.answer_text import answer_text
from fggm_lab.plots.attention_maps import attention_maps
from fggm_lab.plots.change_against_overlap import change_against_overlap, task_pairs
from fggm_lab.plots.conductance_against_fisher import conductance_against_fisher
from fggm_lab.plots.drift_against_fisher import drift_against_fisher
from fggm_lab.plots.drift_curve import drift_curve
from fggm_lab.plots.export import describe, export, figure_rows
from fggm_lab.plots.fisher_spectra import fisher_spectra
from fggm_lab.plots.forgetting_against_distance import forgetting_against_distance
from fggm_lab.plots.forgetting_curves import forgetting_curves
from fggm_lab.plots.head_heatmap import head_heatmap
from fggm_lab.plots.kept_shares import kept_shares
from fggm_lab.plots.layer_shares import share_per_layer
from fggm_lab.plots.log_curves import log_curves
from fggm_lab.plots.lorenz_curves import lorenz_curves
from fggm_lab.plots.mask_effects import mask_effects
from fggm_lab.plots.mask_map import mask_map
from fggm_lab.plots.mask_overlap import mask_overlap
from fggm_lab.plots.overlap_per_layer import overlap_per_layer
from fggm_lab.plots.paired_differences import paired_differences
from fggm_lab.plots.registry import FIGURES, FigureKind, draw, figure_kind
from fggm_lab.plots.score_heatmap import score_heatmap
from fggm_lab.plots.score_histograms import score_histograms
from fggm_lab.plots.score_matrix import score_matrix
from fggm_lab.plots.scores_against_cost import scores_against_cost
from fggm_lab.plots.shared_units import shared_units
from fggm_lab.plots.smoothing import smoothed
from fggm_lab.plots.spectra_overlaid import spectra_overlaid
from fggm_lab.plots.spectrum_growth import spectrum_growth
from fggm_lab.plots.stability_curves import stability_curves
from fggm_lab.plots.stability_plasticity import stability_plasticity
from fggm_lab.plots.theme import bare, caption_of, description_of
from fggm_lab.plots.token_text import TokenText, token_comparison, token_text
from fggm_lab.plots.training_progress import training_progress
from fggm_lab.plots.union_growth import union_growth

_DESCRIBED = {
    "describe_forgetting": "forgetting_curves",
    "describe_progress": "training_progress",
    "describe_spectra": "fisher_spectra",
    "describe_histograms": "score_histograms",
    "describe_score_heatmap": "score_heatmap",
    "describe_overlaid": "spectra_overlaid",
    "describe_growth": "spectrum_growth",
    "describe_kept_shares": "kept_shares",
    "describe_mask_map": "mask_map",
    "describe_stability": "stability_curves",
    "describe_drift_curve": "drift_curve",
    "describe_score_matrix": "score_matrix",
    "describe_stability_plasticity": "stability_plasticity",
    "describe_paired_differences": "paired_differences",
    "describe_lorenz": "lorenz_curves",
    "describe_drift": "drift_against_fisher",
    "describe_effect": "mask_effects",
    "describe_conductance": "conductance_against_fisher",
    "describe_overlap": "mask_overlap",
    "describe_overlap_per_layer": "overlap_per_layer",
    "describe_shared_units": "shared_units",
    "describe_union_growth": "union_growth",
    "describe_change_against_overlap": "change_against_overlap",
    "describe_attribution": "token_text",
    "describe_comparison": "token_comparison",
}
"""Function of version 0.1 that described a figure → the function that draws it."""


def __getattr__(name: str) -> Any:
    if name not in _DESCRIBED:
        raise AttributeError(f"module 'fggm_lab.plots' has no attribute '{name}'")
    drawn_by = globals()[_DESCRIBED[name]]
    warn_renamed(f"plots.{name}(…)", f"plots.describe(plots.{drawn_by.__name__}(…))")
    return lambda *records, **settings: describe(drawn_by(*records, **settings))


__all__ = [
    "FIGURES",
    "FigureKind",
    "TokenText",
    "answer_changes",
    "answer_text",
    "attention_maps",
    "bare",
    "caption_of",
    "change_against_overlap",
    "conductance_against_fisher",
    "describe",
    "description_of",
    "draw",
    "drift_against_fisher",
    "drift_curve",
    "export",
    "figure_kind",
    "figure_rows",
    "fisher_spectra",
    "forgetting_against_distance",
    "forgetting_curves",
    "head_heatmap",
    "kept_shares",
    "log_curves",
    "lorenz_curves",
    "mask_effects",
    "mask_map",
    "mask_overlap",
    "overlap_per_layer",
    "paired_differences",
    "score_heatmap",
    "score_histograms",
    "score_matrix",
    "scores_against_cost",
    "share_per_layer",
    "shared_units",
    "smoothed",
    "spectra_overlaid",
    "spectrum_growth",
    "stability_curves",
    "stability_plasticity",
    "task_pairs",
    "token_comparison",
    "token_text",
    "training_progress",
    "union_growth",
]
