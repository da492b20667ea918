"""When to draw while something trains, and how long the training will still take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Clock = Callable[[], float]
"""The present time in seconds."""


class DrawingThrottle:
    """Keeps the time spent on drawing below a fixed share, however long one drawing takes.

    After a drawing that took d seconds the next one is due d · `pause_factor` later, so that
    drawing never takes more than 1 / (1 + `pause_factor`) of the time.
    """

    def __init__(
        self,
        pause_factor: float = 50,
        min_pause: float = 0.5,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Args:
        pause_factor: how many times a drawing's own duration pass before the next one.
        min_pause: the fewest seconds between two drawings.
        clock: the time in seconds.
        """
        self._pause_factor, self._min_pause, self._clock = pause_factor, min_pause, clock
        self._next = clock() + min_pause

    @property
    def due(self) -> bool:
        """Whether a drawing may begin."""
        return self._clock() >= self._next

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Measure how long a drawing takes."""
        start = self._clock()
        yield
        end = self._clock()
        self._next = end + max(self._min_pause, self._pause_factor * (end - start))

    def add_cost(self, seconds: float) -> None:
        """Count what a drawing cost elsewhere, such as an answer of the page that shows it."""
        self._next += self._pause_factor * seconds


class TimeLeft:
    """Estimates how long the remaining steps take, evaluations among them, at the pace so far."""

    def __init__(self, step: int, clock: Clock = time.perf_counter) -> None:
        """Args:
        step: the number of steps taken earlier. A run that is resumed reports these steps again;
            they say nothing about its pace, nor does the time before the first new step.
        clock: the time in seconds.
        """
        self._clock = clock
        self._earlier_steps = step
        self._start = self._now = clock()
        self._first = self._step = step

    def record(self, step: int) -> None:
        """Note that a step was taken now."""
        self._now, self._step = self._clock(), step
        if step <= self._earlier_steps + 1:
            self._start, self._first = self._now, step

    def seconds(self, total: int) -> float | None:
        """Seconds until step `total`; None while no pace is known."""
        new_steps = self._step - self._first
        if new_steps <= 0 or not total:
            return None
        return (total - self._step) * (self._now - self._start) / new_steps


def duration_text(seconds: float) -> str:
    """`8 s`, `2 min 10 s`, `3 h 20 min`: at most two units, rounded to what an estimate allows."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 600:
        rounded = round(seconds / 10) * 10
        return f"{rounded // 60} min" + (f" {rounded % 60} s" if rounded % 60 else "")
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
