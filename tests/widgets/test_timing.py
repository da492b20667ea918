"""Drawing takes its share of the time and no more, and what is left is estimated in plain words."""

import random

import pytest

from fggm_lab.widgets.timing import DrawingThrottle, TimeLeft, duration_text


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_drawing_never_takes_more_than_its_share_however_long_a_draw_takes() -> None:
    clock, rng = Clock(), random.Random(0)
    throttle = DrawingThrottle(pause_factor=50, min_pause=0.5, clock=clock)
    spent = 0.0
    for _ in range(20_000):
        clock.now += 0.01  # a step
        if throttle.due:
            duration = rng.choice([0.001, 0.02, 0.3])
            with throttle.drawing():
                clock.now += duration
            reply = rng.choice([0, 0.01])
            throttle.add_cost(reply)
            spent += duration + reply
    assert 0.01 < spent / clock.now < 1 / 51


def test_there_are_at_least_half_a_second_between_quick_draws() -> None:
    clock = Clock()
    throttle = DrawingThrottle(clock=clock)
    draws = 0
    for _ in range(80):
        clock.now += 0.125
        if throttle.due:
            with throttle.drawing():
                draws += 1
    assert draws == 20


def test_time_left_is_the_steps_left_at_the_pace_so_far() -> None:
    clock = Clock()
    left = TimeLeft(0, clock)
    assert left.seconds(100) is None
    clock.now = 30  # the model is measured before the first step
    for step in range(1, 11):
        left.record(step)
        clock.now += 2
    assert left.seconds(100) == pytest.approx(90 * 2)
    assert left.seconds(0) is None


def test_steps_told_again_say_nothing_about_the_pace() -> None:
    clock = Clock()
    left = TimeLeft(50, clock)
    clock.now = 3  # loading
    for step in range(1, 51):
        left.record(step)
    assert left.seconds(100) is None
    for step in (51, 52, 53):
        clock.now += 2
        left.record(step)
    assert left.seconds(100) == pytest.approx(47 * 2)


@pytest.mark.parametrize(("seconds", "words"), [
    (0.2, "0 s"), (59, "59 s"), (59.7, "1 min"), (66, "1 min 10 s"), (120, "2 min"),
    (595, "10 min"), (1790, "30 min"), (3600, "1 h"), (12_000, "3 h 20 min"),
])  # fmt: skip
def test_time_duration_text(seconds: float, words: str) -> None:
    assert duration_text(seconds) == words
