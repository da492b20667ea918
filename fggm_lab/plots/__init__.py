"""Plots: pure functions from records to Plotly figures, each with a text that says the same.

`FIGURES` lists them by name; the report, the explorers and the documentation read it.
"""

from collections.abc import Callable
from typing import NamedTuple

import plotly.graph_objects as go

from fggm_lab.plots.attribution import (
    describe_attribution,
    describe_comparison,
    describe_drift_curve,
    drift_curve,
    token_comparison,
    token_text,
)
from fggm_lab.plots.change_against_overlap import (
    change_against_overlap,
    describe_change_against_overlap,
)
from fggm_lab.plots.conductance_against_fisher import (
    conductance_against_fisher,
    describe_conductance,
)
from fggm_lab.plots.drift_against_fisher import describe_drift, drift_against_fisher
from fggm_lab.plots.export import describe, export, figure_rows
from fggm_lab.plots.fisher_spectra import describe_spectra, fisher_spectra
from fggm_lab.plots.forgetting_curves import describe_forgetting, forgetting_curves
from fggm_lab.plots.kept_shares import describe_kept_shares, kept_shares
from fggm_lab.plots.layer_shares import share_per_layer
from fggm_lab.plots.lorenz_curves import describe_lorenz, lorenz_curves
from fggm_lab.plots.mask_effects import describe_effect, mask_effects
from fggm_lab.plots.mask_map import describe_mask_map, mask_map
from fggm_lab.plots.mask_overlap import describe_overlap, mask_overlap
from fggm_lab.plots.overlap_per_layer import describe_overlap_per_layer, overlap_per_layer
from fggm_lab.plots.paired_differences import describe_paired_differences, paired_differences
from fggm_lab.plots.score_heatmap import describe_score_heatmap, score_heatmap
from fggm_lab.plots.score_histograms import describe_histograms, score_histograms
from fggm_lab.plots.score_matrix import describe_score_matrix, score_matrix
from fggm_lab.plots.shared_units import describe_shared_units, shared_units
from fggm_lab.plots.spectra_overlaid import describe_overlaid, spectra_overlaid
from fggm_lab.plots.spectrum_growth import describe_growth, spectrum_growth
from fggm_lab.plots.stability_curves import describe_stability, stability_curves
from fggm_lab.plots.stability_plasticity import describe_stability_plasticity, stability_plasticity
from fggm_lab.plots.theme import bare, caption_of, description_of
from fggm_lab.plots.training_progress import describe_progress, training_progress
from fggm_lab.plots.union_growth import describe_union_growth, union_growth


class FigureKind(NamedTuple):
    """A figure: what draws it, what says it in words, and its heading."""

    draw: Callable[..., go.Figure]
    describe: Callable[..., str]
    heading: str


FIGURES: dict[str, FigureKind] = {
    "forgetting_curves": FigureKind(forgetting_curves, describe_forgetting, "Forgetting curves"),
    "training_progress": FigureKind(
        training_progress, describe_progress, "Scores, loss and mask share while a run trains"
    ),
    "fisher_spectra": FigureKind(fisher_spectra, describe_spectra, "Fisher spectra"),
    "score_histograms": FigureKind(
        score_histograms, describe_histograms, "Histograms of Fisher scores"
    ),
    "score_heatmap": FigureKind(
        score_heatmap, describe_score_heatmap, "Where the Fisher information sits"
    ),
    "spectra_overlaid": FigureKind(
        spectra_overlaid, describe_overlaid, "Fisher spectra of the whole model"
    ),
    "spectrum_growth": FigureKind(
        spectrum_growth, describe_growth, "Growth of the Fisher spectrum"
    ),
    "kept_shares": FigureKind(kept_shares, describe_kept_shares, "What a keep share lets move"),
    "mask_map": FigureKind(mask_map, describe_mask_map, "Mask map"),
    "stability_curves": FigureKind(stability_curves, describe_stability, "Mask stability"),
    "drift_curve": FigureKind(drift_curve, describe_drift_curve, "Attribution drift"),
    "score_matrix": FigureKind(score_matrix, describe_score_matrix, "Score matrix"),
    "stability_plasticity": FigureKind(
        stability_plasticity, describe_stability_plasticity, "Stability–plasticity plane"
    ),
    "paired_differences": FigureKind(
        paired_differences, describe_paired_differences, "Differences paired by seed"
    ),
    "lorenz_curves": FigureKind(
        lorenz_curves, describe_lorenz, "How few units hold the Fisher information"
    ),
    "drift_against_fisher": FigureKind(
        drift_against_fisher, describe_drift, "Movement against earlier Fisher scores"
    ),
    "mask_effects": FigureKind(
        mask_effects, describe_effect, "What zeroing or freezing units does"
    ),
    "conductance_against_fisher": FigureKind(
        conductance_against_fisher, describe_conductance, "Conductance beside Fisher scores"
    ),
    "mask_overlap": FigureKind(mask_overlap, describe_overlap, "Mask overlap between tasks"),
    "overlap_per_layer": FigureKind(
        overlap_per_layer, describe_overlap_per_layer, "Mask overlap along the depth"
    ),
    "shared_units": FigureKind(shared_units, describe_shared_units, "Units that tasks share"),
    "union_growth": FigureKind(
        union_growth, describe_union_growth, "How much of the model is used up"
    ),
    "change_against_overlap": FigureKind(
        change_against_overlap, describe_change_against_overlap, "Overlap and what it cost"
    ),
}
"""Every figure, by the name of the function that draws it."""

__all__ = [
    "FIGURES",
    "FigureKind",
    "bare",
    "caption_of",
    "change_against_overlap",
    "conductance_against_fisher",
    "describe",
    "describe_attribution",
    "describe_change_against_overlap",
    "describe_comparison",
    "describe_conductance",
    "describe_drift",
    "describe_drift_curve",
    "describe_effect",
    "describe_forgetting",
    "describe_growth",
    "describe_histograms",
    "describe_kept_shares",
    "describe_lorenz",
    "describe_mask_map",
    "describe_overlaid",
    "describe_overlap",
    "describe_overlap_per_layer",
    "describe_paired_differences",
    "describe_progress",
    "describe_score_heatmap",
    "describe_score_matrix",
    "describe_shared_units",
    "describe_spectra",
    "describe_stability",
    "describe_stability_plasticity",
    "describe_union_growth",
    "description_of",
    "drift_against_fisher",
    "drift_curve",
    "export",
    "figure_rows",
    "fisher_spectra",
    "forgetting_curves",
    "kept_shares",
    "lorenz_curves",
    "mask_effects",
    "mask_map",
    "mask_overlap",
    "overlap_per_layer",
    "paired_differences",
    "score_heatmap",
    "score_histograms",
    "score_matrix",
    "share_per_layer",
    "shared_units",
    "spectra_overlaid",
    "spectrum_growth",
    "stability_curves",
    "stability_plasticity",
    "token_comparison",
    "token_text",
    "training_progress",
    "union_growth",
]
