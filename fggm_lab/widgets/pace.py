"""When to draw while something trains, and how long it will still take."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Clock = Callable[[], float]


class Pace:
    """Lets drawing take at most a fixed share of the time, however long one draw takes.

    After a draw that took d seconds the next one is due d · `apart` later, so that drawing never
    takes more than 1 / (1 + `apart`) of the time.
    """

    def __init__(
        self, apart: float = 50, least: float = 0.5, clock: Clock = time.perf_counter
    ) -> None:
        """Args:
        apart: how many times its own duration a draw keeps from the next.
        least: the fewest seconds between two.
        """
        self._apart, self._least, self._clock = apart, least, clock
        self._next = clock() + least

    @property
    def due(self) -> bool:
        """Whether a draw may begin."""
        return self._clock() >= self._next

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Time a draw."""
        start = self._clock()
        yield
        end = self._clock()
        self._next = end + max(self._least, self._apart * (end - start))

    def owe(self, seconds: float) -> None:
        """Count what a draw cost elsewhere, such as a reply of the page that shows it."""
        self._next += self._apart * seconds


class TimeLeft:
    """How long the remaining steps will take, evaluations among them, at the pace so far."""

    def __init__(self, step: int, clock: Clock = time.perf_counter) -> None:
        """Args:
        step: the steps already known; those up to here are told again when a run is resumed, and
            say nothing about its pace. Nor does what comes before the first step.
        """
        self._clock = clock
        self._known = step
        self._start = self._now = clock()
        self._first = self._step = step

    def take(self, step: int) -> None:
        """A step was taken."""
        self._now, self._step = self._clock(), step
        if step <= self._known + 1:
            self._start, self._first = self._now, step

    def seconds(self, total: int) -> float | None:
        """Seconds until step `total`; None while there is nothing to go by."""
        taken = self._step - self._first
        if taken <= 0 or not total:
            return None
        return (total - self._step) * (self._now - self._start) / taken


def in_words(seconds: float) -> str:
    """`8 s`, `2 min 10 s`, `3 h 20 min`: two units at most, and no false precision."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 600:
        tens = round(seconds / 10) * 10
        return f"{tens // 60} min" + (f" {tens % 60} s" if tens % 60 else "")
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
