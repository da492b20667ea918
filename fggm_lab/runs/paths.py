"""Learning against keeping, task by task: each method's path over its seeds, and the best ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from fggm_lab.errors import SettingError
from fggm_lab.runs.compare import check_comparable, group_labels
from fggm_lab.runs.metrics import bwt_gem, learning_accuracy, so_far
from fggm_lab.runs.run import Run

STABILITIES = ("bwt", "general")
"""What `paths` can set against learning accuracy."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Step:
    """A method after so many tasks.

    Attributes:
        tasks: how many are trained, from 1.
        learned: mean over seeds of the learning accuracy over these tasks.
        kept: mean over seeds of BWT over these tasks, or of General after them.
        learned_sd, kept_sd: the sample standard deviations; None of one seed.
        seeds: how many seeds have got so far.
    """

    tasks: int
    learned: float
    kept: float
    learned_sd: float | None
    kept_sd: float | None
    seeds: int


@dataclass(frozen=True)
class MethodPath:
    """What became of one method.

    Attributes:
        label: the method, with settings where those tell methods apart.
        steps: one per number of tasks that any of its seeds has measured, rising.
        seeds: how many runs it has.
        unfinished: how many of them are not finished.
    """

    label: str
    steps: list[Step]
    seeds: int
    unfinished: int


def paths(runs: Sequence[Run], stability: str = "bwt") -> list[MethodPath]:
    """Each method's learning accuracy and BWT (or General), over the tasks trained so far.

    Args:
        runs: of several methods and seeds over the same tasks; unfinished ones as far as they go.
        stability: `bwt`, backward transfer divided by tasks − 1, from two tasks on; or `general`.

    Raises:
        SettingError: `stability` is neither.
        RunError: no runs, or runs that cannot be compared.
    """
    if stability not in STABILITIES:
        raise SettingError(f"stability is '{stability}'; choose one of: {', '.join(STABILITIES)}")
    check_comparable(runs)
    groups: dict[str, list[Run]] = {}
    for run, label in zip(runs, group_labels(runs), strict=True):
        groups.setdefault(label, []).append(run)
    return [
        MethodPath(
            label,
            _gathered([run_path(run, stability) for run in group]),
            len(group),
            sum(not run.finished for run in group),
        )
        for label, group in groups.items()
    ]


def run_path(run: Run, stability: str = "bwt") -> dict[int, Point]:
    """Tasks trained → (learning accuracy, BWT or General) of one run, where both are measured."""
    scores = run.scores
    if scores is None:
        return {}
    ability = general_after_tasks(run)
    found = {}
    for t in range(1, len(scores.tasks) + 1):
        part = so_far(scores.matrix, t)
        learned = learning_accuracy(part)
        kept = bwt_gem(part) if stability == "bwt" else ability[t - 1]
        if learned is not None and kept is not None:
            found[t] = (round(learned, 12), round(kept, 12))  # rounding of sums beats no one
    return found


def general_after_tasks(run: Run) -> list[float | None]:
    """(T,) General after each task; None where it was not measured, or not yet."""
    measured: list[float | None] = [None] * len(run.config.task_names)
    for event in run.events("evaluation"):
        if event["final"] and event["task"] >= 0 and (ability := event.get("general")):
            measured[event["task"]] = ability["score"]
    scores = run.scores
    if scores is not None and scores.general["after"] is not None:
        measured[-1] = scores.general["after"]
    return measured


def _gathered(found: Sequence[dict[int, Point]]) -> list[Step]:
    """One path of the means over seeds."""
    steps = []
    for t in sorted({t for one in found for t in one}):
        learned, kept = zip(*(one[t] for one in found if t in one), strict=True)
        several = len(learned) > 1
        steps.append(
            Step(
                t,
                fmean(learned),
                fmean(kept),
                stdev(learned) if several else None,
                stdev(kept) if several else None,
                len(learned),
            )
        )
    return steps


def pareto_front(points: Sequence[Point], lower: bool = False) -> list[int]:
    """The places of the points that no other beats: as good in both numbers, better in one.

    Args:
        points: pairs of numbers; more is better of the first.
        lower: less is better of the second, as of a loss; else more.

    Returns:
        places in `points`, the first number rising.
    """
    sign = -1 if lower else 1
    found = [(x, sign * y) for x, y in points]

    def beaten(x: float, y: float) -> bool:
        return any(a >= x and b >= y and (a, b) != (x, y) for a, b in found)

    front = [place for place, (x, y) in enumerate(found) if not beaten(x, y)]
    return sorted(front, key=lambda place: found[place])
