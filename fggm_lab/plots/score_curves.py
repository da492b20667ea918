"""Scores along a run, read from its events: the data of forgetting curves."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fggm_lab.runs import Run
from fggm_lab.runs.compare import labels
from fggm_lab.runs.events import EvaluationEvent, Event

GENERAL = "General"
"""The name of General, as an argument and in figures."""


@dataclass(frozen=True)
class Measurement:
    """One measurement of a task's score or of General.

    Attributes:
        step: training steps since the start of the run, over all tasks.
        score: a fraction from 0 to 1, or for General perhaps a loss.
        final: measured on the whole split at the end of a task (or before any), not on a sample.
        task: the 0-based task being trained, -1 before any training.
        exact: share of answers right token by token; None for General.
        nll: nats per answer token; None for General.
        examples: how many were scored; None for General.
    """

    step: int
    score: float
    final: bool
    task: int
    exact: float | None = None
    nll: float | None = None
    examples: int | None = None


@dataclass(frozen=True)
class Segment:
    """The steps in which a task is trained: after `start`, up to and including `end`."""

    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Curves:
    """The data of one run's forgetting curves.

    Attributes:
        label: the run's method, with settings and seed where those tell runs apart.
        order: every task's name, in the order they are learned.
        tasks: name → points in the order of steps; a task not measured yet has none.
        general: points of General; empty if it was not measured.
        general_name: what General was measured on.
        general_better: `higher` if General is a score from 0 to 1, `lower` if it is a loss.
        segments: where each task begins and ends, planned ones included where known.
        finished: whether the run is.
        infinite: how many measurements of General were not finite numbers; they are no points.
    """

    label: str
    order: list[str]
    tasks: dict[str, list[Measurement]]
    general: list[Measurement]
    general_name: str | None
    general_better: str
    segments: list[Segment]
    finished: bool
    infinite: int = 0

    @property
    def step(self) -> int:
        """The last step measured."""
        every = [p.step for points in [*self.tasks.values(), self.general] for p in points]
        return max(every, default=0)

    @property
    def planned(self) -> int:
        """The last step known to come."""
        return max([self.step, *(s.end for s in self.segments)])


def curves_of(runs: Sequence[Run], tasks: Collection[str] | None = None) -> list[Curves]:
    """The curves of each run, labelled so that no two share a name.

    Args:
        runs: finished or not.
        tasks: the names of those to read; None: every task.

    Returns:
        One entry per run, in order.
    """
    return [
        _curves_of_run(run, label, tasks) for run, label in zip(runs, run_labels(runs), strict=True)
    ]


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Method names; with the settings, the seed or the folder that tell equal ones apart."""
    names = labels([run.config for run in runs])
    for extra in (
        [f"seed {run.config.training.seed}" for run in runs],
        [str(run.path) for run in runs],
    ):
        counts = Counter(names)
        names = [
            f"{name} ({extra_text})" if counts[name] > 1 else name
            for name, extra_text in zip(names, extra, strict=True)
        ]
    return names


def _curves_of_run(run: Run, label: str, tasks: Collection[str] | None) -> Curves:
    events = run.events()
    evaluations = [event for event in events if event["kind"] == "evaluation"]
    scores = run.scores
    return Curves(
        label=label,
        order=list(run.config.task_names),
        tasks={
            name: points_of(evaluations, name)
            for name in run.config.task_names
            if tasks is None or name in tasks
        },
        general=general_points(evaluations),
        general_name=scores.general["name"] if scores else run.config.general,
        general_better=scores.general["better"] if scores else "higher",
        segments=_segments(run.config.task_names, events),
        finished=any(event["kind"] == "end" for event in events),
        infinite=sum(
            1 for e in evaluations if (general := e.get("general")) and general["score"] is None
        ),
    )


def points_of(evaluations: Sequence[EvaluationEvent], name: str) -> list[Measurement]:
    """A task's measurements, from a run's evaluation events."""
    return [
        Measurement(
            event["step"],
            scores["score"],
            event["final"],
            event["task"],
            scores.get("exact"),
            scores.get("nll"),
            scores.get("examples"),
        )
        for event in evaluations
        if (scores := event["tasks"].get(name)) and scores["score"] is not None
    ]


def general_points(evaluations: Sequence[EvaluationEvent]) -> list[Measurement]:
    """General's measurements, from a run's evaluation events."""
    return [
        Measurement(event["step"], general["score"], event["final"], event["task"])
        for event in evaluations
        if (general := event.get("general")) and general["score"] is not None
    ]


def _segments(names: Sequence[str], events: Sequence[Event]) -> list[Segment]:
    """The steps of each task: as planned, or fewer where a level ended it; else as they got."""
    planned = next(
        (list(e["steps"]) for e in events if e["kind"] == "start" and "steps" in e), None
    )
    for event in events if planned is not None else ():
        if event["kind"] == "task" and "until" in event and planned is not None:
            planned[event["task"]] = event["until"]["steps"]
    reached: dict[int, int] = {}
    for event in events:
        if event["kind"] == "step" or event["kind"] == "evaluation":
            reached[event["task"]] = max(event["step"], reached.get(event["task"], 0))
    segments: list[Segment] = []
    start = 0
    for index, name in enumerate(names):
        end = reached.get(index, start) if planned is None else start + int(planned[index])
        if end > start:
            segments.append(Segment(name, start, end))
        start = end
    return segments
