"""Scores along a run: what forgetting curves are drawn from, taken out of the run's events."""

from collections.abc import Sequence
from dataclasses import dataclass

from fggm_lab.runs import Run
from fggm_lab.runs.compare import labels
from fggm_lab.runs.events import EvaluationEvent, Event

GENERAL = "General"
"""The name under which General is asked for and shown."""


@dataclass(frozen=True)
class Point:
    """One measurement.

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
    """All that forgetting curves need of one run.

    Attributes:
        label: the run's method, with settings and seed where those tell runs apart.
        tasks: name → points in the order of steps; a task not measured yet has none.
        general: points of General; empty if it was not measured.
        general_name: what General was measured on.
        general_better: `higher` if General is a score from 0 to 1, `lower` if it is a loss.
        segments: where each task begins and ends, planned ones included where known.
        finished: whether the run is.
    """

    label: str
    tasks: dict[str, list[Point]]
    general: list[Point]
    general_name: str | None
    general_better: str
    segments: list[Segment]
    finished: bool

    @property
    def step(self) -> int:
        """The last step measured."""
        every = [p.step for points in [*self.tasks.values(), self.general] for p in points]
        return max(every, default=0)

    @property
    def planned(self) -> int:
        """The last step known to come."""
        return max([self.step, *(s.end for s in self.segments)])


def curves_of(runs: Sequence[Run]) -> list[Curves]:
    """The curves of each run, labelled so that no two share a name."""
    return [_curves(run, label) for run, label in zip(runs, run_labels(runs), strict=True)]


def run_labels(runs: Sequence[Run]) -> list[str]:
    """Method names; with the settings, the seed or the folder that tell equal ones apart."""
    names = labels([run.config for run in runs])
    for extra in ([f"seed {run.config.seed}" for run in runs], [str(run.path) for run in runs]):
        names = [
            f"{name} ({more})" if names.count(name) > 1 else name
            for name, more in zip(names, extra, strict=True)
        ]
    return names


def _curves(run: Run, label: str) -> Curves:
    events = run.events()
    measured = [event for event in events if event["kind"] == "evaluation"]
    scores = run.scores
    return Curves(
        label=label,
        tasks={name: points_of(measured, name) for name in run.config.task_names},
        general=general_points(measured),
        general_name=scores.general["name"] if scores else run.config.general,
        general_better=scores.general["better"] if scores else "higher",
        segments=_segments(run.config.task_names, events),
        finished=any(event["kind"] == "end" for event in events),
    )


def points_of(measured: Sequence[EvaluationEvent], name: str) -> list[Point]:
    """A task's measurements, from a run's evaluation events."""
    return [
        Point(
            event["step"],
            found["score"],
            event["final"],
            event["task"],
            found.get("exact"),
            found.get("nll"),
            found.get("examples"),
        )
        for event in measured
        if (found := event["tasks"].get(name)) and found["score"] is not None
    ]


def general_points(measured: Sequence[EvaluationEvent]) -> list[Point]:
    """General's measurements, from a run's evaluation events."""
    return [
        Point(event["step"], found["score"], event["final"], event["task"])
        for event in measured
        if (found := event.get("general")) and found["score"] is not None
    ]


def _segments(names: Sequence[str], events: Sequence[Event]) -> list[Segment]:
    """From the plan the run announced, else from the steps seen so far."""
    planned = next((e["steps"] for e in events if e["kind"] == "start" and "steps" in e), None)
    segments: list[Segment] = []
    start = 0
    for index, name in enumerate(names):
        if planned is not None:
            end = start + int(planned[index])
        else:
            end = max(
                (
                    event["step"]
                    for event in events
                    if (event["kind"] == "step" or event["kind"] == "evaluation")
                    and event["task"] == index
                ),
                default=start,
            )
        if end > start:
            segments.append(Segment(name, start, end))
        start = end
    return segments
