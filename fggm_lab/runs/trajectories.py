"""Learning against keeping, task by task: each method's trajectory over its seeds, and the ends
that no other method beats."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from fggm_lab.checks import check_choice
from fggm_lab.runs.compare import check_comparable, group_labels
from fggm_lab.runs.listing import RunsLike, as_runs
from fggm_lab.runs.metrics import bwt_gem_after, learning_accuracy_after
from fggm_lab.runs.run import Run

Stability = Literal["bwt", "general"]
"""What a trajectory sets against learning accuracy: backward transfer, or General."""

TradeOff = tuple[float, float]
"""Learning accuracy, and how much is kept: BWT or General."""

_DIGITS = 12
"""To how many digits a trade-off is rounded, so that the rounding of sums decides no comparison."""


@dataclass(frozen=True)
class TrajectoryPoint:
    """A method after so many tasks.

    Attributes:
        tasks: how many are trained, from 1.
        learned: mean over seeds of the learning accuracy over these tasks.
        retained: mean over seeds of BWT over these tasks, or of General after them.
        learned_sd, retained_sd: the sample standard deviations; None of one seed.
        seeds: how many seeds have got so far.
    """

    tasks: int
    learned: float
    retained: float
    learned_sd: float | None
    retained_sd: float | None
    seeds: int


@dataclass(frozen=True)
class Trajectory:
    """How one method learned and kept, task after task.

    Attributes:
        label: the method, with settings where those tell methods apart.
        steps: one per number of tasks that any of its seeds has measured, rising.
        seeds: how many runs it has.
        unfinished: how many of them are not finished.
    """

    label: str
    steps: list[TrajectoryPoint]
    seeds: int
    unfinished: int


def method_trajectories(runs: RunsLike, stability: Stability = "bwt") -> list[Trajectory]:
    """Each method's learning accuracy and BWT (or General), over the tasks trained so far.

    Args:
        runs: a run, a folder of runs, or several of either: of several methods and seeds over the
            same tasks; unfinished ones as far as they go.
        stability: `bwt`, backward transfer divided by tasks − 1, from two tasks on; or `general`.

    Returns:
        One trajectory per method, in the order of their first runs.

    Raises:
        SettingError: `stability` is neither.
        RunError: no runs, or runs that cannot be compared.
    """
    check_choice("stability", stability, Stability)
    runs = as_runs(runs)
    check_comparable(runs)
    groups: dict[str, list[Run]] = {}
    for run, label in zip(runs, group_labels(runs), strict=True):
        groups.setdefault(label, []).append(run)
    return [
        Trajectory(
            label,
            _mean_over_seeds([run_trajectory(run, stability) for run in group]),
            len(group),
            sum(not run.finished for run in group),
        )
        for label, group in groups.items()
    ]


def run_trajectory(run: Run, stability: Stability = "bwt") -> dict[int, TradeOff]:
    """Tasks trained → (learning accuracy, BWT or General) of one run, where both are measured."""
    scores = run.scores
    if scores is None:
        return {}
    general = general_after_tasks(run)
    points = {}
    for t in range(1, len(scores.tasks) + 1):
        learned = learning_accuracy_after(scores.matrix, t)
        retained = bwt_gem_after(scores.matrix, t) if stability == "bwt" else general[t - 1]
        if learned is not None and retained is not None:
            points[t] = (round(learned, _DIGITS), round(retained, _DIGITS))
    return points


def general_after_tasks(run: Run) -> list[float | None]:
    """(T,) General after each task; None where it was not measured, or not yet."""
    measured: list[float | None] = [None] * len(run.config.task_names)
    for event in run.events("evaluation"):
        if event["final"] and event["task"] >= 0 and (general := event.get("general")):
            measured[event["task"]] = general["score"]
    scores = run.scores
    if scores is not None and scores.general["after"] is not None:
        measured[-1] = scores.general["after"]
    return measured


def _mean_over_seeds(seeds: Sequence[dict[int, TradeOff]]) -> list[TrajectoryPoint]:
    """The points of one method: means over those of its seeds that have got so far."""
    points = []
    for tasks in sorted({tasks for seed in seeds for tasks in seed}):
        learned, retained = zip(*(seed[tasks] for seed in seeds if tasks in seed), strict=True)
        several = len(learned) > 1
        points.append(
            TrajectoryPoint(
                tasks,
                fmean(learned),
                fmean(retained),
                stdev(learned) if several else None,
                stdev(retained) if several else None,
                len(learned),
            )
        )
    return points


def pareto_front(points: Sequence[TradeOff], lower: bool = False) -> list[int]:
    """The indices of the points that no other beats: as good in both numbers, better in one.

    Args:
        points: pairs of numbers; more is better of the first.
        lower: less is better of the second, as of a loss; else more.

    Returns:
        Indices into `points`, the first number rising.
    """
    sign = -1 if lower else 1
    pairs = [(x, sign * y) for x, y in points]
    front: list[int] = []
    for index in sorted(range(len(pairs)), key=pairs.__getitem__, reverse=True):
        # All before it are at least as good in the first number: the last unbeaten is their best.
        if not front or pairs[index][1] > pairs[front[-1]][1] or pairs[index] == pairs[front[-1]]:
            front.append(index)
    return sorted(front, key=lambda index: (pairs[index], index))
