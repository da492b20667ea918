"""The figures of an explorer, in tabs: what each shows, and which controls change it."""

from collections.abc import Callable
from typing import NamedTuple

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.explorer.run_cache import mask_order
from fggm_lab.explorer.selection import Selection
from fggm_lab.masks import Mask
from fggm_lab.plots import (
    drift_against_fisher,
    fisher_spectra,
    forgetting_curves,
    kept_shares,
    lorenz_curves,
    mask_map,
    mask_overlap,
    overlap_per_layer,
    score_heatmap,
    score_histograms,
    score_matrix,
    shared_units,
    spectra_overlaid,
    spectrum_growth,
    stability_plasticity,
    union_growth,
)
from fggm_lab.plots.fisher_spectra import fisher_spectra_template
from fggm_lab.plots.kept_shares import kept_shares_template
from fggm_lab.plots.lorenz_curves import lorenz_curves_template
from fggm_lab.plots.mask_map import mask_map_template
from fggm_lab.plots.mask_overlap import mask_overlap_template
from fggm_lab.plots.overlap_per_layer import overlap_per_layer_template
from fggm_lab.plots.score_curves import GENERAL
from fggm_lab.plots.shared_units import shared_units_template
from fggm_lab.plots.template import Template
from fggm_lab.plots.union_growth import union_growth_template

ALL = ""
"""The value of a list's first entry, which restricts nothing."""
CUT = ("keep", "scope")
"""The controls that cut masks."""


class View(NamedTuple):
    """One figure.

    Attributes:
        name: on its button.
        draw: makes the figure of what is chosen; what it cannot draw is a LabError.
        controls: names of the controls that change it.
        of_layer: whether it shows the layer chosen alone and leaves it to the caller to say so.
        in_page: names of those controls by which the page shows or hides lines of the figure.
        template: makes the template that a page fills at any cut; where it gives None, or the run's
            masks do not follow from stored scores, the figure is drawn.
    """

    name: str
    draw: Callable[[Selection], go.Figure]
    controls: tuple[str, ...]
    of_layer: bool = False
    in_page: tuple[str, ...] = ()
    template: Callable[[Selection], Template | None] | None = None


class Tab(NamedTuple):
    """The figures about one question.

    Attributes:
        key: its name for a program.
        title: its name for a reader.
        views: its figures, the first one shown at first.
    """

    key: str
    title: str
    views: tuple[View, ...]


# How scores change as tasks are learned


def _task_curves(chosen: Selection) -> go.Figure:
    return forgetting_curves(chosen.runs, chosen.task)


def _plane(chosen: Selection) -> go.Figure:
    return stability_plasticity(chosen.runs, chosen["stability"])


_FORGETTING = Tab("forgetting", "Forgetting", (
    View("all tasks", lambda chosen: forgetting_curves(chosen.runs), ("runs",)),
    View("chosen task", _task_curves, ("runs", "task")),
    View(GENERAL, lambda chosen: forgetting_curves(chosen.runs, GENERAL), ("runs",)),
    View("score matrix", lambda chosen: score_matrix(chosen.run), ("method",)),
    View("stability–plasticity", _plane, ("runs", "stability")),
))  # fmt: skip


# How unequal units are


def _sorted(chosen: Selection) -> go.Figure:
    return fisher_spectra(chosen.scores, chosen.keep, chosen.scope, controls=False)


def _of_highest(
    template: Callable[[Selection], Template],
) -> Callable[[Selection], Template | None]:
    """A template of scores in a page; where the lowest move, the page has them reversed."""

    def of_highest(chosen: Selection) -> Template | None:
        return template(chosen) if mask_order(chosen.run) == "highest" else None

    return of_highest


def _growth(chosen: Selection) -> go.Figure:
    run, task = chosen.run, chosen.task
    chosen.cache.ranking(run, task)  # raises where there are no scores at all
    along = run.fisher_along(task)
    if len(along) < 2:
        raise RunError(
            f"{run.path} has scores before {task} alone, none along it; record them with "
            "run_sequence(…, fisher_points=4) or fggm-lab run --fisher-points 4"
        )
    return spectrum_growth({step: chosen.restricted(s) for step, s in along.items()}, task)


def _overlaid(chosen: Selection) -> go.Figure:
    cache, run = chosen.cache, chosen.run
    by_task = {task: chosen.restricted(cache.scores(run, task)) for task in cache.scored(run)}
    return spectra_overlaid(by_task, controls=False)


_SCORED = ("method", "task", "layer")
_SPECTRA = Tab("spectra", "Fisher spectra", (
    View("sorted", _sorted, (*_SCORED, *CUT, "module"), in_page=("layer", "module"),
         template=_of_highest(lambda chosen: fisher_spectra_template(chosen.scores))),
    View("histogram", lambda chosen: score_histograms(chosen.restricted(chosen.scores)), _SCORED,
         of_layer=True),
    View("heatmap", lambda chosen: score_heatmap(chosen.scores), ("method", "task")),
    View("Lorenz curve", lambda chosen: lorenz_curves(chosen.restricted(chosen.scores),
                                                      chosen.keep),
         (*_SCORED, "keep"), of_layer=True, template=_of_highest(
             lambda chosen: lorenz_curves_template(chosen.restricted(chosen.scores),
                                                   chosen.layer))),
    View("along the task", _growth, _SCORED, of_layer=True),
    View("tasks overlaid", _overlaid, ("method", "layer"), of_layer=True),
))  # fmt: skip


# Which units may move


def _shares(chosen: Selection) -> go.Figure:
    scores = chosen.cache.scores_to_cut(chosen.run, chosen.task)
    return kept_shares(scores, chosen["by"], chosen.scope, chosen.keep)


def _map(chosen: Selection) -> go.Figure:
    parameter = chosen["parameter"] or None
    return mask_map(chosen.masks, chosen.layer, parameter, chosen["order"], controls=False)


def _map_template(chosen: Selection) -> Template:
    tasks = chosen.cache.scored(chosen.run)
    parameter = chosen["parameter"] or None
    return mask_map_template(tasks, chosen.units, chosen.layer, parameter, chosen["order"])


_MASKS = Tab("masks", "Masks", (
    View("map of units", _map, ("method", "layer", *CUT, "parameter", "order"),
         template=_map_template),
    View("kept shares", _shares, ("method", "task", *CUT, "by"),
         template=lambda chosen: kept_shares_template(chosen.units, chosen["by"])),
))  # fmt: skip


# Do tasks need the same units?


def _matrix(chosen: Selection) -> go.Figure:
    return mask_overlap(chosen.masks, chosen.layer, False, chosen["measure"])


def _of_several(
    template: Callable[[Selection, list[str]], Template],
) -> Callable[[Selection], Template | None]:
    """A template for the masks of two tasks or more; of fewer the figure says what is missing."""

    def of_scored(chosen: Selection) -> Template | None:
        tasks = chosen.cache.scored(chosen.run)
        return template(chosen, tasks) if len(tasks) > 1 else None

    return of_scored


def _in_layer(draw: Callable[[dict[str, Mask]], go.Figure]) -> Callable[[Selection], go.Figure]:
    """A figure of the masks within the layer chosen."""

    def draw_restricted(chosen: Selection) -> go.Figure:
        return draw({t: mask.restricted(chosen.within(mask.names))
                     for t, mask in chosen.masks.items()})  # fmt: skip

    return draw_restricted


_LAYER_CUT = ("method", "layer", *CUT)
_OVERLAP = Tab("overlap", "Overlap", (
    View("every two tasks", _matrix, (*_LAYER_CUT, "measure"), template=_of_several(
        lambda chosen, tasks: mask_overlap_template(tasks, chosen.layer, chosen["measure"]))),
    View("per layer", lambda chosen: overlap_per_layer(chosen.masks), ("method", *CUT),
         template=_of_several(
             lambda chosen, tasks: overlap_per_layer_template(tasks, chosen.units))),
    View("shared units", _in_layer(shared_units), _LAYER_CUT, of_layer=True, template=_of_several(
        lambda chosen, tasks: shared_units_template(tasks, chosen.layer))),
    View("union growth", _in_layer(union_growth), _LAYER_CUT, of_layer=True, template=_of_several(
        lambda chosen, tasks: union_growth_template(tasks, chosen.layer))),
))  # fmt: skip


# Did forgetting come from moving what mattered?


def _drift(chosen: Selection) -> go.Figure:
    cache, run, task = chosen.cache, chosen.run, chosen.task
    before = run.config.task_names[: run.task_index(task)]
    if not before:
        raise RunError(
            f"{task} is the first task, nothing was learned before it; choose a later one to "
            "see whether its training moved what mattered to the earlier ones"
        )
    drift = cache.drift(run, task)
    scores = {
        earlier: chosen.restricted(cache.scores(run, earlier))
        for earlier in cache.scored(run)
        if earlier in before
    }
    return drift_against_fisher(scores, drift)


_DRIFT = Tab("drift", "Drift", (
    View("against earlier tasks", _drift, _SCORED, of_layer=True),
))  # fmt: skip


TABS = (_FORGETTING, _SPECTRA, _MASKS, _OVERLAP, _DRIFT)
"""The tabs, from left to right."""
