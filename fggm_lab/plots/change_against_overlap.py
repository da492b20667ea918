"""Does overlap foretell forgetting? What a task lost when another one was trained, by their masks.

Two tasks whose masks meet move the same units. Whether that hurts the earlier one is a question to
the data: a pair of tasks is one point here, and pairs of one run are few and not independent. To
tell a cause from a symptom, the overlap of one run's masks can be held against what other runs
forgot, which never saw those masks.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from scipy.stats import spearmanr

from fggm_lab.errors import RunError
from fggm_lab.masks import expected_jaccard, jaccard
from fggm_lab.plots import theme
from fggm_lab.runs import Run
from fggm_lab.runs.compare import check_comparable, group_labels

FEW = 10
"""Below so many pairs a rank correlation says next to nothing, and the caption says that."""


class Meeting(NamedTuple):
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


def change_against_overlap(runs: Run | Sequence[Run], masks: Run | None = None) -> go.Figure:
    """How an earlier task's score changed while a later one was trained, against their overlap.

    Args:
        runs: over the same tasks; as far as they got.
        masks: the run whose masks are compared, for all runs; None: each run's own.

    Raises:
        RunError: runs that cannot be compared, or none with the masks of two finished tasks.
    """
    rows = meetings(runs, masks)
    figure = go.Figure()
    names = list(dict.fromkeys(row.label for row in rows))
    styles = theme.method_styles(names)
    for name in names:
        own = [row for row in rows if row.label == name]
        figure.add_scatter(
            x=[row.jaccard for row in own], y=[row.change for row in own], mode="markers",
            name=name, customdata=[_hover(row) for row in own], meta={"name": name},
            marker={"color": styles[name].colour, "symbol": styles[name].symbol, "size": 11,
                    "opacity": 0.8},
            hovertemplate="%{customdata}<extra></extra>",
        )  # fmt: skip
    chance = float(np.mean([row.expected for row in rows]))
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
        height=440, margin={"t": 40, "b": 56, "l": 84, "r": 16}, hovermode="closest",
        showlegend=True, legend={"x": 1.02, "y": 1},
    )  # fmt: skip
    return theme.finish(figure, "Overlap and what it cost", _caption(rows, masks), _describe(rows))


def describe_change_against_overlap(runs: Run | Sequence[Run], masks: Run | None = None) -> str:
    """The figure in words: pairs, their rank correlation, and the change that was worst.

    Args:
        runs, masks: as for `change_against_overlap`.
    """
    return _describe(meetings(runs, masks))


def meetings(runs: Run | Sequence[Run], masks: Run | None = None) -> list[Meeting]:
    """The numbers of `change_against_overlap`: every two tasks of every run, in order.

    Args:
        runs, masks: as for `change_against_overlap`.

    Raises:
        RunError: runs that cannot be compared, or none with the masks of two finished tasks.
    """
    several = [runs] if isinstance(runs, Run) else list(runs)
    check_comparable([*several, masks] if masks is not None else several)
    rows = [
        row
        for run, label in zip(several, group_labels(several), strict=True)
        for row in _meetings(run, label, masks or run)
    ]
    if not rows:
        raise RunError(
            "no run has the masks of two finished tasks; methods such as fggm and random keep them"
        )
    return rows


def _meetings(run: Run, label: str, source: Run) -> list[Meeting]:
    scores = run.scores
    rows: list[Meeting] = []
    if scores is None:
        return rows
    names = run.config.task_names
    masks = [source.mask(name) for name in names]
    for i, j in combinations(range(len(names)), 2):
        earlier, later = masks[i], masks[j]
        before, after = scores.matrix[j - 1][i], scores.matrix[j][i]
        if earlier is None or later is None or before is None or after is None:
            continue
        shared, expected = jaccard(earlier, later), expected_jaccard(earlier, later)
        if shared is not None and expected is not None:
            rows.append(
                Meeting(label, run.config.seed, names[i], names[j], shared, expected,
                        after - before)
            )  # fmt: skip
    return rows


def rank_correlation(rows: Sequence[Meeting]) -> float | None:
    """Spearman's ρ of overlap and change; None of fewer than three pairs, or of equal ones."""
    overlaps, changes = [row.jaccard for row in rows], [row.change for row in rows]
    if len(rows) < 3 or len(set(overlaps)) == 1 or len(set(changes)) == 1:
        return None
    return float(spearmanr(overlaps, changes).statistic)


def _hover(row: Meeting) -> str:
    return (
        f"<b>{row.earlier}</b> while {row.later} was trained<br>{row.label}, seed {row.seed}<br>"
        f"Jaccard index {row.jaccard:.3f} (by chance {row.expected:.3f})<br>"
        f"change of score {row.change:+.3f}"
    )


def _caption(rows: Sequence[Meeting], masks: Run | None) -> str:
    text = (
        "A point is an earlier and a later task of one run. Right: their masks share more units; "
        "down: the earlier one lost more while the later one was trained. If overlap foretold "
        "forgetting, points would fall to the right."
    )
    if masks is not None:
        text += (
            f" All overlaps are those of the masks of {masks.config.method}, seed "
            f"{masks.config.seed}; the other runs never saw them."
        )
    least = min(sum(row.label == name for row in rows) for name in {row.label for row in rows})
    if least < FEW:
        text += f" With {_pairs(least)} of a method, that is a question, not an answer."
    return text


def _describe(rows: Sequence[Meeting]) -> str:
    said = []
    for name in dict.fromkeys(row.label for row in rows):
        own = [row for row in rows if row.label == name]
        rho = rank_correlation(own)
        worst = min(own, key=lambda row: row.change)
        text = (
            f"{name}, {_pairs(len(own))} of tasks: Jaccard index {min(r.jaccard for r in own):.2f} "
            f"to {max(r.jaccard for r in own):.2f}, change of the earlier task's score "
            f"{min(r.change for r in own):+.2f} to {max(r.change for r in own):+.2f}"
        )
        text += "" if rho is None else f", rank correlation {rho:+.2f}"
        if worst.change < 0:
            text += f"; {worst.earlier} lost most, while {worst.later} was trained"
        said.append(f"{text}.")
    return " ".join(said)


def _pairs(number: int) -> str:
    return f"{number} pair" + ("" if number == 1 else "s")
