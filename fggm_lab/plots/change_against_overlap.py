"""Does mask overlap predict forgetting? A task's loss of score against the overlap of two masks.

Two tasks whose masks overlap move the same units. Whether that costs the earlier task anything is
an empirical question: here a pair of tasks is one point, and the pairs of one run are few and not
independent. To tell a cause from a symptom, the overlaps of one run's masks can be drawn against
what other runs forgot, which were trained without those masks.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from fggm_lab.errors import RunError
from fggm_lab.fisher.ranks import rank_correlation
from fggm_lab.masks import expected_jaccard, jaccard
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.styles import method_styles
from fggm_lab.runs import Run, RunsLike, as_runs
from fggm_lab.runs.compare import check_comparable, group_labels

MIN_PAIRS = 10
"""With fewer pairs the caption warns that a rank correlation is hardly informative."""


class TaskPair(NamedTuple):
    """An earlier and a later task of one run.

    Attributes:
        label: the run's method, with settings where those tell methods apart.
        seed: the run's.
        earlier, later: the tasks.
        jaccard: the Jaccard index of the two tasks' masks.
        expected: the same for masks drawn by chance.
        change: what training the later task did to the earlier one's score, −1 to 1.
    """

    label: str
    seed: int
    earlier: str
    later: str
    jaccard: float
    expected: float
    change: float


def change_against_overlap(runs: RunsLike, masks: Run | None = None) -> go.Figure:
    """How an earlier task's score changed while a later one was trained, against their overlap.

    Args:
        runs: a run, a folder of runs or several of either, over the same tasks; unfinished ones as
            far as they got.
        masks: the run whose masks are compared, for all runs; None: each run's own.

    Returns:
        The figure: a point for every two tasks of every run.

    Raises:
        RunError: runs that cannot be compared, or none with the masks of two finished tasks.
    """
    pairs = task_pairs(runs, masks)
    figure = go.Figure()
    names = list(dict.fromkeys(pair.label for pair in pairs))
    styles = method_styles(names)
    for name in names:
        points = [pair for pair in pairs if pair.label == name]
        figure.add_scatter(
            x=[pair.jaccard for pair in points], y=[pair.change for pair in points], mode="markers",
            name=name, customdata=[_hover(pair) for pair in points], meta={"name": name},
            marker={"color": styles[name].colour, "symbol": styles[name].symbol, "size": 11,
                    "opacity": 0.8},
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    chance = float(np.mean([pair.expected for pair in pairs]))
    figure.add_vline(
        x=chance, line={"color": theme.INK, "dash": "dash", "width": 1},
        annotation={"text": "by chance", "yanchor": "bottom", "y": 1, "yref": "paper"},
        annotation_position="top",
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": theme.INK, "dash": "dot", "width": 1})
    whose = "" if masks is None else f" under {masks.config.method}"
    figure.update_xaxes(title_text=f"Jaccard index of the two tasks' masks{whose}",
                        rangemode="tozero")  # fmt: skip
    figure.update_yaxes(
        title_text="change of the earlier task's score<br>while the later is trained"
    )
    figure.update_layout(
        height=430, margin={"t": 28, "l": 84}, hovermode="closest", showlegend=True,
    )  # fmt: skip
    return finish(figure, "Overlap and what it cost", _caption(pairs, masks), _describe(pairs))


def task_pairs(runs: RunsLike, masks: Run | None = None) -> list[TaskPair]:
    """The numbers of `change_against_overlap`: every two tasks of every run, in order.

    Args:
        runs: a run, a folder of runs or several of either, over the same tasks.
        masks: the run whose masks are compared, for all runs; None: each run's own.

    Returns:
        A row for every two tasks whose masks and scores the run has.

    Raises:
        RunError: runs that cannot be compared, or none with the masks of two finished tasks.
    """
    run_list = as_runs(runs)
    check_comparable([*run_list, masks] if masks is not None else run_list)
    pairs = [
        pair
        for run, label in zip(run_list, group_labels(run_list), strict=True)
        for pair in _pairs_of_run(run, label, masks or run)
    ]
    if not pairs:
        raise RunError(
            "no run has the masks of two finished tasks; methods such as fggm and random keep them"
        )
    return pairs


def _pairs_of_run(run: Run, label: str, source: Run) -> list[TaskPair]:
    scores = run.scores
    pairs: list[TaskPair] = []
    if scores is None:
        return pairs
    names = run.config.task_names
    masks = [source.mask(name) for name in names]
    for i, j in combinations(range(len(names)), 2):
        earlier, later = masks[i], masks[j]
        before, after = scores.matrix[j - 1][i], scores.matrix[j][i]
        if earlier is None or later is None or before is None or after is None:
            continue
        overlap, expected = jaccard(earlier, later), expected_jaccard(earlier, later)
        if overlap is not None and expected is not None:
            pairs.append(
                TaskPair(label, run.config.training.seed, names[i], names[j], overlap, expected,
                        after - before)
            )  # fmt: skip
    return pairs


def overlap_correlation(pairs: Sequence[TaskPair]) -> float | None:
    """Spearman's ρ of overlap and change; None of fewer than three pairs, or of equal ones."""
    if len(pairs) < 3:
        return None
    return rank_correlation([pair.jaccard for pair in pairs], [pair.change for pair in pairs])


def _hover(pair: TaskPair) -> str:
    return (
        f"<b>{as_label(pair.earlier)}</b> while {as_label(pair.later)} was trained<br>"
        f"{as_label(pair.label)}, seed {pair.seed}"
        f"<br>Jaccard index {pair.jaccard:.3f} (by chance {pair.expected:.3f})<br>"
        f"change of score {pair.change:+.3f}"
    )


def _caption(pairs: Sequence[TaskPair], masks: Run | None) -> str:
    text = (
        "A point is an earlier and a later task of one run. Right: their masks share more units; "
        "down: the earlier one lost more while the later one was trained. If overlap foretold "
        "forgetting, points would fall to the right."
    )
    if masks is not None:
        text += (
            f" All overlaps are those of the masks of {masks.config.method}, seed "
            f"{masks.config.training.seed}; the other runs never saw them."
        )
    fewest = min(
        sum(pair.label == name for pair in pairs) for name in {pair.label for pair in pairs}
    )
    if fewest < MIN_PAIRS:
        text += f" With {_count_text(fewest)} of a method, that is a question, not an answer."
    return text


def _describe(pairs: Sequence[TaskPair]) -> str:
    sentences = []
    for name in dict.fromkeys(pair.label for pair in pairs):
        points = [pair for pair in pairs if pair.label == name]
        rho = overlap_correlation(points)
        worst = min(points, key=lambda pair: pair.change)
        text = (
            f"{name}, {_count_text(len(points))} of tasks: Jaccard index "
            f"{min(r.jaccard for r in points):.2f} to {max(r.jaccard for r in points):.2f}, "
            "change of the earlier task's score "
            f"{min(r.change for r in points):+.2f} to {max(r.change for r in points):+.2f}"
        )
        text += "" if rho is None else f", rank correlation {rho:+.2f}"
        if worst.change < 0:
            text += f"; {worst.earlier} lost most, while {worst.later} was trained"
        sentences.append(f"{text}.")
    return " ".join(sentences)


def _count_text(number: int) -> str:
    return f"{number} pair" + ("" if number == 1 else "s")
