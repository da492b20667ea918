"""The figures of a report: for each kind the variants a reader can choose from."""

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.fisher.concentration import is_finite
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import MaskSettings
from fggm_lab.masks import Mask
from fggm_lab.plots import FIGURES
from fggm_lab.plots.mask_overlap import MEASURES
from fggm_lab.plots.score_curves import GENERAL, run_labels
from fggm_lab.report.block import Block, Variant
from fggm_lab.report.selection import (
    MOST_SPECTRA,
    MOST_TASKS,
    compared_runs,
    infinite_note,
    methods_note,
    runs_of_curves,
    seeds_note,
    sentences,
    shown_tasks,
    tasks_note,
)
from fggm_lab.runs import NUMBERS, RECORD_FISHER, Run
from fggm_lab.runs.compare import first_seeds, group_labels

CONTROL = "random"
"""The method that others are first compared with, where it was run."""
COSTS = ("token_passes", "learning_seconds", "peak_memory_mb")
"""What learning costs, as the page shows it."""

NO_SCORES = (
    f"None of these runs kept Fisher scores: their methods do not score units; {RECORD_FISHER}."
)
NO_MASKS = "None of these runs kept the masks of two tasks, so there is no overlap to show."


def figure_blocks(runs: Sequence[Run]) -> list[Block]:
    """The figures of the runs, in the order of the page.

    Forgetting, the stability–plasticity plane, paired differences, cost and distance are of all
    runs. What shows a run's scores, masks and movements is drawn for the first seed of each method:
    those of other seeds would make the file large and say the same. Of more methods and tasks than
    can be told apart some are drawn (`fggm_lab.report.selection`), and the page says which.

    Args:
        runs: at least one, over the same tasks.

    Returns:
        One block per kind of figure, with a variant for each choice that the runs allow.
    """
    compared = compared_runs(runs)
    shown = first_seeds(compared)
    methods = methods_note(compared, runs)
    note = sentences(methods, seeds_note(shown, compared))
    names = runs[0].config.task_names
    of_tasks = sentences(note, tasks_note(names))
    named = dict(zip(run_labels(shown), shown, strict=True))
    masks = {
        label: masks_of_run
        for label, run in named.items()
        if len(masks_of_run := masks_of(run)) > 1
    }
    some_masks = {
        label: {task: of_run[task] for task in shown_tasks(list(of_run))}
        for label, of_run in masks.items()
    }
    recorded = {label: scores_of(run) for label, run in named.items()}
    infinite = [
        f"{label} before {task}"
        for label, of_run in recorded.items()
        for task, item in of_run.items()
        if not is_finite(item.units.values())
    ]
    scores = {
        label: finite
        for label, of_run in recorded.items()
        if (finite := {t: s for t, s in of_run.items() if is_finite(s.units.values())})
    }
    of_scores = sentences(of_tasks, infinite_note(infinite))
    return [
        _forgetting(compared, methods),
        _plane(compared, methods),
        _paired(compared, methods),
        _cost(compared, methods),
        _distance(compared, methods),
        _spectra(named, scores, sentences(note, infinite_note(infinite))),
        _of_methods("lorenz", "lorenz_curves", "wide", scores, NO_SCORES, of_scores),
        _overlap(some_masks, of_tasks),
        _of_methods("depth", "overlap_per_layer", "wide", some_masks, NO_MASKS, of_tasks),
        _of_methods("shared", "shared_units", "narrow", masks, NO_MASKS, note),
        _of_methods("union", "union_growth", "narrow", masks, NO_MASKS, note),
        _drift(named, scores, of_scores),
    ]


def masks_of(run: Run) -> dict[str, Mask]:
    """Task → its mask, for the tasks that have one."""
    masks = {task: run.mask(task) for task in run.config.task_names}
    return {task: mask for task, mask in masks.items() if mask is not None}


def scores_of(run: Run) -> dict[str, FisherScores]:
    """Task → the Fisher scores of output units, for the shown tasks that have them."""
    task_scores = {task: run.fisher(task) for task in shown_tasks(run.config.task_names)}
    return {task: scores.of_outputs() for task, scores in task_scores.items() if scores is not None}


def _forgetting(runs: Sequence[Run], note: str) -> Block:
    kind = FIGURES["forgetting_curves"]
    shown = runs_of_curves(runs)
    names = runs[0].config.task_names
    measured = any(event.get("general") for run in shown for event in run.events("evaluation"))
    variants = [Variant("all tasks", kind.draw(shown))]
    for name in [*([GENERAL] if measured else []), *shown_tasks(names)]:
        variants.append(Variant(name, kind.draw(shown, name)))
    note = sentences(note, seeds_note(shown, runs), tasks_note(names))
    return Block("forgetting", kind.heading, "narrow", "Show", variants, note=note)


def _plane(runs: Sequence[Run], note: str) -> Block:
    kind = FIGURES["stability_plasticity"]
    return Block(
        "plane", kind.heading, "narrow", "Keeping, measured by",
        _where_possible(kind.draw, runs, {"BWT": "bwt", GENERAL: "general"}),
        "No run has finished two tasks yet, as BWT asks, or measured General after one.", note,
    )  # fmt: skip


def _paired(runs: Sequence[Run], note: str) -> Block:
    kind = FIGURES["paired_differences"]
    methods = sorted(dict.fromkeys(group_labels(runs)), key=lambda label: label != CONTROL)
    return Block(
        "paired", kind.heading, "narrow", "Baseline",
        _where_possible(kind.draw, runs, {label: label for label in methods}),
        "There are no two methods that were run with the same seed.", note,
    )  # fmt: skip


def _cost(runs: Sequence[Run], note: str) -> Block:
    kind = FIGURES["scores_against_cost"]
    costs = {NUMBERS[key].label: key for key in COSTS}
    return Block(
        "cost", kind.heading, "narrow", "Cost", _where_possible(kind.draw, runs, costs),
        "No run has measured what learning cost and a score yet.", note,
    )  # fmt: skip


def _distance(runs: Sequence[Run], note: str) -> Block:
    kind = FIGURES["forgetting_against_distance"]
    texts = {"the untrained model's texts": "own_samples", "the new task": "new_task"}
    return Block(
        "distance", kind.heading, "narrow", "Distance, measured on",
        _where_possible(kind.draw, runs, texts),
        "None of these runs measured how far its model moved; `--distance-samples 64` does.", note,
    )  # fmt: skip


def _where_possible(
    draw: Callable[..., go.Figure], runs: Sequence[Run], choices: dict[str, str]
) -> list[Variant]:
    """The figures of those choices that the runs have measured enough for."""
    variants = []
    for label, choice in choices.items():
        try:
            variants.append(Variant(label, draw(runs, choice)))
        except RunError:
            continue
    return variants


def _spectra(runs: dict[str, Run], scores: dict[str, dict[str, FisherScores]], note: str) -> Block:
    kind = FIGURES["fisher_spectra"]
    most = max(2, MOST_SPECTRA // max(1, len(scores)))
    variants = []
    for label, task_scores in scores.items():
        keep, scope = runs[label].config.mask_settings or MaskSettings()
        for task in shown_tasks(list(task_scores), most):
            variants.append(Variant(f"{label}: {task}", kind.draw(task_scores[task], keep, scope)))
    names = max((run.config.task_names for run in runs.values()), key=len)
    note = sentences(note, tasks_note(names, min(most, MOST_TASKS)))
    return Block("spectra", kind.heading, "wide", "Method and task", variants, NO_SCORES, note)


def _overlap(masks: dict[str, dict[str, Mask]], note: str) -> Block:
    kind = FIGURES["mask_overlap"]
    variants = [
        Variant(f"{label}: {MEASURES[measure].name}", kind.draw(task_masks, measure=measure))
        for measure in MEASURES
        for label, task_masks in masks.items()
    ]
    return Block("overlap", kind.heading, "wide", "Method and measure", variants, NO_MASKS, note)


def _of_methods(
    key: str, figure: str, width: str, records: dict[str, Any], missing: str, note: str
) -> Block:
    """A figure per method, of all its tasks' scores or masks."""
    kind = FIGURES[figure]
    variants = [Variant(label, kind.draw(task_records)) for label, task_records in records.items()]
    return Block(key, kind.heading, width, "Method", variants, missing, note)


def _drift(runs: dict[str, Run], scores: dict[str, dict[str, FisherScores]], note: str) -> Block:
    """How the last task that was trained moved what mattered to the tasks before it."""
    kind = FIGURES["drift_against_fisher"]
    variants = []
    for label, task_scores in scores.items():
        names = runs[label].config.task_names
        moved = {task: drift for task in names if (drift := runs[label].drift(task)) is not None}
        if not moved:
            continue
        last = list(moved)[-1]
        earlier = {
            task: scores_before_task
            for task, scores_before_task in task_scores.items()
            if task in names[: names.index(last)]
        }
        if earlier:
            figure = kind.draw(earlier, moved[last])
            variants.append(Variant(f"{label}: movement during {last}", figure))
    return Block(
        "drift", kind.heading, "wide", "Method and task", variants,
        "None of these runs kept both the Fisher scores of a task and the movement of its units "
        "during a later one.", note,
    )  # fmt: skip
