"""Checks on task sequences: reading the score matrix, counting steps, reading a run's events."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fggm_lab.course.exercises.answers import NOTHING, as_number, verdict, wrong_number
from fggm_lab.course.exercises.exercise import exercise
from fggm_lab.runs import measure
from fggm_lab.training.schedule import step_count

Matrix = list[list[float]]

HAND: Matrix = [[0.8, 0.1, 0.3], [0.9, 0.7, 0.2], [0.5, 0.6, 1.0]]
"""The score matrix that notebook 04 asks to read by hand: row i after training task i."""
_NEAR = 6e-3
"""The tolerance for numbers worked out by hand, which are rounded."""


@exercise(
    "04c",
    "OP, BWT and forgetting by hand",
    level=2,
    minutes=10,
    hints=(
        "OP reads one row of the matrix only, the last.",
        "BWT begins on the diagonal: for task 1 it is 0.5 − 0.8. The last task could not be "
        "forgotten yet, so two numbers are averaged.",
        "Forgetting begins at the best earlier score of a column, which for task 1 is not on "
        "the diagonal.",
    ),
)
def check_by_hand(
    op: float | None = None, bwt: float | None = None, forgot: float | None = None
) -> str:
    """Try three numbers worked out by hand from the matrix `HAND`.

    Args:
        op: the mean score on all tasks at the end.
        bwt: the mean change of the earlier tasks' scores since each was learned, divided by T − 1.
        forgot: the mean fall of the earlier tasks' scores from their best.

    Returns:
        one line per number.
    """
    measures = {name: value for name, value in measure(HAND, HAND[0]).items() if value is not None}
    back, fall = measures["bwt_gem"], measures["forgetting"]
    size = len(HAND)
    lines: list[tuple[str, float | None, float, dict[str, float]]] = [
        ("OP", op, measures["op_final"], {
            "that is the mean of the diagonal: learning accuracy.": measures["learning_accuracy"],
            "that is mean OP, the mean over steps of the tasks seen so far.":
                measures["op_mean_over_steps"],
            "that is the last column; the end is R's last row.": sum(r[-1] for r in HAND) / size,
            "that is the mean of all cells; the end is R's last row.":
                sum(map(sum, HAND)) / size**2,
        }),
        ("BWT", bwt, back, {
            "that divides by T, as TRACE does; T − 1 tasks could be forgotten.":
                measures["bwt_trace"],
            "mind the sign: the last score less the score when learned.": -back,
            "that falls from the best score; BWT starts on the diagonal.": -fall,
            "that is the sum; divide it by the T − 1 earlier tasks.": back * (size - 1),
        }),
        ("forgetting", forgot, fall, {
            "that falls from the diagonal; the best earlier score may come later.": -back,
            "mind the sign: a fall counts as positive here.": -fall,
            "that is the sum; divide it by the T − 1 earlier tasks.": fall * (size - 1),
        }),
    ]  # fmt: skip
    return "\n".join(
        f"{name}: {_by_hand(answer, right, mistakes)}" for name, answer, right, mistakes in lines
    )


def _by_hand(answer: object, right: float, mistakes: Mapping[str, float]) -> str:
    number = as_number(answer)
    if number is None:
        return verdict("write a number.")
    if math.isclose(number, right, abs_tol=_NEAR):
        return verdict(None, f"{right:+.3f}.")
    near = (hint for hint, mistake in mistakes.items() if abs(number - mistake) < _NEAR)
    return verdict(next(near, f"{number:g} is not it; write down each task's two scores first."))


@exercise(
    "00a",
    "The task that lost most",
    level=1,
    minutes=5,
    hints=(
        "Being low is not being forgotten: a task may never have been learned well.",
        "Each task has two numbers: its score when learned, on the diagonal, and its score in"
        " the last row.",
        "falls = {name: matrix[j][j] - matrix[-1][j] for j, name in enumerate(tasks)}; which "
        "is largest?",
    ),
)
def check_most_forgotten(answer: Callable[[Matrix, list[str]], str]) -> str:
    """Try a function that names the task which lost most since it was learned.

    Args:
        answer: takes R, T rows of T scores, R[i][j] the score on task j after training task i, and
            the T names; returns the name of the task whose last score lies furthest below its
            score when learned.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    names = ["A", "B", "C", "D"]
    matrix = [
        [0.9, 0.1, 0.2, 0.0],
        [0.8, 0.5, 0.2, 0.1],
        [0.4, 0.3, 0.8, 0.1],
        [0.3, 0.1, 0.5, 0.9],
    ]
    cases = [(matrix, names), ([[0.5, 0.1], [0.2, 0.9]], ["X", "Y"])]
    for scores, tasks in cases:
        returned = answer([list(row) for row in scores], list(tasks))
        problem = _wrong_task(returned, scores, tasks)
        if problem:
            return verdict(problem)
    return verdict(None, "from the diagonal, when it was learned, down to the last row.")


def _wrong_task(returned: object, matrix: Matrix, names: Sequence[str]) -> str | None:
    if returned is None or returned is ...:
        return NOTHING
    if returned not in names:
        return f"return the name of a task, one of {', '.join(names)}, not {returned!r}."
    last = len(names) - 1
    falls = {name: matrix[j][j] - matrix[last][j] for j, name in enumerate(names)}
    if returned == max(falls, key=lambda name: falls[name]):
        return None
    ends = dict(zip(names, matrix[last], strict=True))
    late = {name: matrix[last - 1][j] - matrix[last][j] for j, name in enumerate(names)}
    if returned == names[last]:
        return "the last task had no time to be forgotten: its row is the last one."
    if returned == min(ends, key=lambda name: ends[name]):
        return f"{returned} has the lowest score at the end, but it was never learned so well."
    if returned == max(late, key=lambda name: late[name]):
        return (
            f"{returned} lost most during the last task; compare with when it was learned, R[j][j]."
        )
    return (
        f"{returned} lost {falls[str(returned)]:.1f} since it was learned; another task lost more."
    )


@exercise(
    "04a",
    "How many steps",
    level=1,
    minutes=3,
    hints=(
        "The last batch of an epoch may be smaller, and it is a step, too.",
        "Every epoch begins with a new batch: round up within the epoch, then multiply by the"
        " epochs.",
    ),
)
def check_steps(answer: Callable[[int, int, int], int]) -> str:
    """Try a function that counts the optimiser steps of one task.

    Args:
        answer: takes the number of examples, epochs, and the batch size; an epoch's last batch may
            be smaller, and counts.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = wrong_number(
        answer,
        "examples, epochs, batch",
        [(320, 5, 32), (100, 3, 32), (10, 4, 32)],
        step_count,
        {
            "the last, smaller batch of an epoch is a step, too.": lambda n, e, b: n // b * e,
            "every epoch ends with its own smaller batch; round up per epoch, then multiply.": (
                lambda n, e, b: math.ceil(n * e / b)
            ),
            "that drops what is left at the end.": lambda n, e, b: n * e // b,
            "that is one epoch.": lambda n, e, b: math.ceil(n / b),
            "a step takes a whole batch, not one example.": lambda n, e, b: n * e,
        },
        ".0f",
    )
    return verdict(problem, "the batches of an epoch, rounded up, times the epochs.")


def _evaluation(task: int, final: bool, **scores: float) -> dict[str, Any]:
    tasks = {name: {"score": score} for name, score in scores.items()}
    return {"kind": "evaluation", "task": task, "final": final, "tasks": tasks}


_EVENTS: list[dict[str, Any]] = [
    {"kind": "start", "names": ["A", "B"], "steps": [4, 4]},
    _evaluation(-1, True, A=0.1, B=0.8),
    {"kind": "step", "task": 0, "task_step": 1, "loss": 2.0},
    _evaluation(0, False, A=0.9),
    _evaluation(0, True, A=0.7, B=0.3),
    _evaluation(1, False, A=0.4, B=0.5),
    _evaluation(1, True, A=0.2, B=0.6),
    {"kind": "end", "seconds": 1.0},
]


@exercise(
    "04b",
    "The best score of each task",
    level=2,
    minutes=10,
    hints=(
        "Print an event of kind 'evaluation': some are of a small sample only, and say so.",
        "Only events with event['final'] count; of those the maximum, not the last.",
    ),
)
def check_best_scores(answer: Callable[[list[dict[str, Any]]], dict[str, float]]) -> str:
    """Try a function that reads the best score of each task off a run's events.

    Args:
        answer: takes events as `Run.events()` gives them, returns task → the highest score that any
            evaluation on whole splits (`final`) gave it.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    returned = answer([dict(event) for event in _EVENTS])
    if returned is None or returned is ...:
        return verdict(NOTHING)
    right = {"A": 0.7, "B": 0.8}
    hints = [
        (
            {"A": 0.9, "B": 0.8},
            "evaluations that are not final score a small sample; leave them out.",
        ),
        ({"A": 0.2, "B": 0.6}, "those are the last scores; take the highest."),
        ({"A": 0.7, "B": 0.6}, "the evaluation before any training (task −1) counts, too."),
        ({"A": 0.1, "B": 0.3}, "those are the lowest scores."),
    ]
    problem = None
    if returned != right:
        problem = next((hint for wrong, hint in hints if returned == wrong), None)
        problem = problem or f"for the check's events it should be {right}, not {returned}."
    return verdict(problem, "a run is its events; every number of it can be read off again.")
