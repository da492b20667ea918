"""Progress of the runs of one command in a terminal: what each task came to, and the time left."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from fggm_lab.escaping import visible
from fggm_lab.runs.events import EvaluationEvent, Event

REPLAY_SECONDS = 1.0
"""A resumed run tells its steps of before within so many seconds of its start event."""


@dataclass
class _Sequence:
    """How far one method's run is.

    Attributes:
        bar: its row in the terminal.
        names: its tasks, in order.
        steps: all steps it takes.
        begun: when it told that it begins; by `time.monotonic`.
        share: how much of it is done, 0 to 1.
        share_before: how much of it was done before this command.
        learned: task → its score right after it was learned.
        evaluation: the last one on whole splits.
    """

    bar: TaskID
    names: Sequence[str] = ()
    steps: int = 0
    begun: float = 0.0
    share: float = 0.0
    share_before: float = 0.0
    learned: dict[str, float] = field(default_factory=dict)
    evaluation: EvaluationEvent | None = None


class MethodsProgress:
    """Draws the runs of several methods, trained one after the other or side by side.

    Every task that was learned is a line: its score, what the tasks before it lost, General, and
    in how long all methods are done. In a terminal there is a bar for each running method, too.
    """

    def __init__(self, console: Console, methods: Sequence[str]) -> None:
        """Begin to draw, and to measure the time.

        Args:
            console: where to.
            methods: the names of all runs of the command.
        """
        self._console = console
        self._begun = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._all = self._bars.add_task(
            "all", total=len(methods), note="", visible=len(methods) > 1
        )
        self._sequences = {
            method: _Sequence(
                self._bars.add_task(visible(method), total=1.0, note="", visible=False)
            )
            for method in methods
        }

    @contextmanager
    def shown(self) -> Iterator["MethodsProgress"]:
        """Draw bars while inside, where there is a terminal."""
        with self._bars:
            yield self

    def tell(self, method: str, event: Event) -> None:
        """Take one event of a method's run."""
        sequence = self._sequences[method]
        if event["kind"] == "start":
            sequence.names, sequence.steps = event["names"], sum(event["steps"])
            sequence.begun = time.monotonic()
            self._bars.update(sequence.bar, visible=True)
        elif event["kind"] == "resume" and event["task"] < len(sequence.names):
            position = f"task {event['task'] + 1}/{len(sequence.names)}"
            self._console.print(
                f"{method} goes on in {position} {sequence.names[event['task']]}, "
                f"after step {event['task_step']}",
                highlight=False,
            )
        elif event["kind"] == "step":
            sequence.share = event["step"] / max(1, sequence.steps)
            if time.monotonic() - sequence.begun < REPLAY_SECONDS:
                sequence.share_before = sequence.share
            position = (
                f"task {event['task'] + 1}/{len(sequence.names)} {sequence.names[event['task']]}"
            )
            note = "" if event["loss"] is None else f"loss {event['loss']:.3f}"
            description = visible(f"{method} · {position}")
            self._bars.update(
                sequence.bar, completed=sequence.share, description=description, note=note
            )
            self._update_all()
        elif event["kind"] == "evaluation" and event["final"] and event["task"] >= 0:
            sequence.evaluation = event
        elif event["kind"] == "task" and sequence.evaluation is not None:
            scores = {name: row["score"] for name, row in sequence.evaluation["tasks"].items()}
            general = sequence.evaluation.get("general")
            sequence.learned[event["name"]] = scores[event["name"]]
            line = task_line(event["name"], scores, sequence.learned, general and general["score"])
            if until := event.get("until"):
                sequence.steps -= until["at_most"] - until["steps"]
                line += f" · held-out loss {until['best']:.3g} after {until['steps']} steps"
            position = f"{event['task'] + 1}/{len(sequence.names)}"
            line = visible(f"{method} {position} {line}{self._time_left()}")
            self._console.print(line, highlight=False, markup=False, emoji=False)

    def finish(self, method: str) -> None:
        """A method's run is at its end; it may have been before the command began."""
        sequence = self._sequences[method]
        if sequence.begun == 0.0:
            sequence.share_before = 1.0
        sequence.share = 1.0
        self._bars.update(sequence.bar, visible=False)
        self._update_all()

    def _update_all(self) -> None:
        share = sum(sequence.share for sequence in self._sequences.values())
        self._bars.update(self._all, completed=share, note=self._time_left().removeprefix(" · "))

    def _time_left(self) -> str:
        sequences = self._sequences.values()
        seconds = seconds_left(
            time.monotonic() - self._begun,
            [sequence.share_before for sequence in sequences],
            [sequence.share for sequence in sequences],
        )
        return "" if seconds is None else f" · {duration(seconds)} left"


def seconds_left(elapsed: float, before: Sequence[float], now: Sequence[float]) -> float | None:
    """How long all runs of a command go on, at the pace they had so far.

    Args:
        elapsed: seconds since the command began.
        before: how much of each run, 0 to 1, was done by then.
        now: how much is done now.

    Returns:
        Seconds; None before anything was done, and once all is done.
    """
    done = sum(now) - sum(before)
    remaining = len(now) - sum(now)
    return elapsed * remaining / done if done > 0 and remaining > 0 else None


def duration(seconds: float) -> str:
    """A time to wait in words: `about 4 min`, `under a minute`."""
    if seconds < 60:
        return "under a minute"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {minutes / 60:.1f} h"


def task_line(
    name: str, scores: Mapping[str, float], learned: Mapping[str, float], general: float | None
) -> str:
    """What learning a task came to, in one line.

    Args:
        name: the task that was learned.
        scores: task → its score now.
        learned: task → its score right after it was learned; the tasks learned so far.
        general: General now, None where it is not measured.

    Returns:
        Such as `FOMC 0.97 · earlier tasks -0.12, most C-STANCE 0.98 → 0.86 · General 0.91`.
    """
    parts = [f"{name} {scores[name]:.2f}"]
    losses = {task: learned[task] - scores[task] for task in learned if task != name}
    if losses:
        change = round(-sum(losses.values()) / len(losses), 2) + 0.0  # never -0.00
        worst = max(losses, key=lambda task: losses[task])
        most = f", most {worst} {learned[worst]:.2f} → {scores[worst]:.2f}"
        parts.append(f"earlier tasks {change:+.2f}{most if losses[worst] > 0 else ''}")
    if general is not None:
        parts.append(f"General {general:.2f}")
    return " · ".join(parts)
