"""The registry of figures: the lab's own by name, and those that users bring along."""

from collections.abc import Callable
from inspect import getdoc
from typing import Any, NamedTuple

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.plots.answer_changes import answer_changes
from fggm_lab.plots.attention_maps import attention_maps
from fggm_lab.plots.change_against_overlap import change_against_overlap
from fggm_lab.plots.conductance_against_fisher import conductance_against_fisher
from fggm_lab.plots.drift_against_fisher import drift_against_fisher
from fggm_lab.plots.drift_curve import drift_curve
from fggm_lab.plots.fisher_spectra import fisher_spectra
from fggm_lab.plots.forgetting_against_distance import forgetting_against_distance
from fggm_lab.plots.forgetting_curves import forgetting_curves
from fggm_lab.plots.head_heatmap import head_heatmap
from fggm_lab.plots.kept_shares import kept_shares
from fggm_lab.plots.log_curves import log_curves
from fggm_lab.plots.lorenz_curves import lorenz_curves
from fggm_lab.plots.mask_effects import mask_effects
from fggm_lab.plots.mask_map import mask_map
from fggm_lab.plots.mask_overlap import mask_overlap
from fggm_lab.plots.overlap_per_layer import overlap_per_layer
from fggm_lab.plots.paired_differences import paired_differences
from fggm_lab.plots.score_heatmap import score_heatmap
from fggm_lab.plots.score_histograms import score_histograms
from fggm_lab.plots.score_matrix import score_matrix
from fggm_lab.plots.scores_against_cost import scores_against_cost
from fggm_lab.plots.shared_units import shared_units
from fggm_lab.plots.spectra_overlaid import spectra_overlaid
from fggm_lab.plots.spectrum_growth import spectrum_growth
from fggm_lab.plots.stability_curves import stability_curves
from fggm_lab.plots.stability_plasticity import stability_plasticity
from fggm_lab.plots.training_progress import training_progress
from fggm_lab.plots.union_growth import union_growth
from fggm_lab.plugins import FIGURES_GROUP, look_up


class FigureKind(NamedTuple):
    """A figure.

    Attributes:
        draw: the function that draws it from records.
        heading: what it is called on a page.
        of_runs: whether runs (or a folder of them) are all that `draw` needs.
    """

    draw: Callable[..., go.Figure]
    heading: str
    of_runs: bool = False


FIGURES: dict[str, FigureKind] = {
    "forgetting_curves": FigureKind(forgetting_curves, "Forgetting curves", of_runs=True),
    "training_progress": FigureKind(
        training_progress, "Scores, loss and mask share while a run trains", of_runs=True
    ),
    "log_curves": FigureKind(log_curves, "Any scalar of the log", of_runs=True),
    "answer_changes": FigureKind(answer_changes, "Answers lost and gained"),
    "fisher_spectra": FigureKind(fisher_spectra, "Fisher spectra"),
    "score_histograms": FigureKind(score_histograms, "Histograms of Fisher scores"),
    "score_heatmap": FigureKind(score_heatmap, "Where the Fisher information sits"),
    "spectra_overlaid": FigureKind(spectra_overlaid, "Fisher spectra of the whole model"),
    "spectrum_growth": FigureKind(spectrum_growth, "Growth of the Fisher spectrum"),
    "kept_shares": FigureKind(kept_shares, "What a keep share lets move"),
    "head_heatmap": FigureKind(head_heatmap, "Attention heads"),
    "attention_maps": FigureKind(attention_maps, "What attention heads look at"),
    "mask_map": FigureKind(mask_map, "Mask map"),
    "stability_curves": FigureKind(stability_curves, "Mask stability"),
    "drift_curve": FigureKind(drift_curve, "Attribution drift"),
    "score_matrix": FigureKind(score_matrix, "Score matrix", of_runs=True),
    "stability_plasticity": FigureKind(
        stability_plasticity, "Stability–plasticity plane", of_runs=True
    ),
    "scores_against_cost": FigureKind(scores_against_cost, "Scores against cost", of_runs=True),
    "forgetting_against_distance": FigureKind(
        forgetting_against_distance, "Forgetting against distance", of_runs=True
    ),
    "paired_differences": FigureKind(paired_differences, "Differences paired by seed"),
    "lorenz_curves": FigureKind(lorenz_curves, "How few units hold the Fisher information"),
    "drift_against_fisher": FigureKind(
        drift_against_fisher, "Movement against earlier Fisher scores"
    ),
    "mask_effects": FigureKind(mask_effects, "What zeroing or freezing units does"),
    "conductance_against_fisher": FigureKind(
        conductance_against_fisher, "Conductance beside Fisher scores"
    ),
    "mask_overlap": FigureKind(mask_overlap, "Mask overlap between tasks"),
    "overlap_per_layer": FigureKind(overlap_per_layer, "Mask overlap along the depth"),
    "shared_units": FigureKind(shared_units, "Units that tasks share"),
    "union_growth": FigureKind(union_growth, "How much of the model is used up"),
    "change_against_overlap": FigureKind(
        change_against_overlap, "Overlap and what it cost", of_runs=True
    ),
}
"""Every figure of the lab, by the name of the function that draws it."""


def figure_kind(name: str) -> FigureKind:
    """The figure of a name: one of the lab's, or a user's own.

    Args:
        name: a key of `FIGURES`, the name under which an installed package registers a figure in
            the entry-point group `fggm_lab.figures`, or `module:function`.

    Returns:
        The figure. A user's function takes runs, and its heading is the first line of its
        docstring.

    Raises:
        SettingError: there is no such figure, it cannot be imported, or it is no function.
    """
    drawn_by = look_up("figure", name, FIGURES, FIGURES_GROUP)
    if isinstance(drawn_by, FigureKind):
        return drawn_by
    if not callable(drawn_by):
        raise SettingError(f"{name} is no function that draws a figure, but {drawn_by!r}")
    heading = (getdoc(drawn_by) or name).splitlines()[0].removesuffix(".")
    return FigureKind(drawn_by, heading, of_runs=True)


def draw(name: str, *records: Any, **settings: Any) -> go.Figure:
    """Draw the figure of a name: `draw("forgetting_curves", "runs/demo", task="FOMC")`.

    Args:
        name: as `figure_kind` takes it.
        *records: what the figure shows, as the function that draws it takes them.
        **settings: of that function.

    Returns:
        The figure.

    Raises:
        SettingError: there is no such figure, or what it draws is no Plotly figure.
    """
    figure = figure_kind(name).draw(*records, **settings)
    if not isinstance(figure, go.Figure):
        raise SettingError(f"{name} drew no Plotly figure, but {type(figure).__name__}")
    return figure
