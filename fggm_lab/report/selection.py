"""Which methods and tasks the figures of a report show, and what it says of the others.

More lines than these cannot be told apart, and a figure for each of them would make the page's
size grow with the square of their number. The tables hold every run and every task.
"""

from collections import Counter
from collections.abc import Sequence

from fggm_lab.plots.thinning import evenly
from fggm_lab.runs import Run
from fggm_lab.runs.compare import first_seeds, group_labels

MOST_METHODS = 12
"""The most methods, each with its settings, that figures show."""
MOST_TASKS = 20
"""The most tasks that a figure or a list of figures shows."""
MOST_SPECTRA = 24
"""The most figures of one task of one method."""


def compared_runs(runs: Sequence[Run]) -> list[Run]:
    """The runs of at most `MOST_METHODS` methods, in order.

    A method in several settings counts as several; the first setting of every method comes before
    the second of any.

    Args:
        runs: over the same tasks.

    Returns:
        Every run of the methods that figures show.
    """
    names = dict(zip(group_labels(runs), (run.config.method for run in runs), strict=True))
    settings: Counter[str] = Counter()
    turns = {}
    for label, method in names.items():
        turns[label] = settings[method]
        settings[method] += 1
    shown = sorted(names, key=turns.__getitem__)[:MOST_METHODS]
    return [run for run, label in zip(runs, group_labels(runs), strict=True) if label in shown]


def runs_of_curves(runs: Sequence[Run]) -> list[Run]:
    """The runs with curves of their own: all of few, else the first seed of each method."""
    return list(runs) if len(runs) <= MOST_METHODS else first_seeds(runs)[:MOST_METHODS]


def methods_note(shown: Sequence[Run], runs: Sequence[Run]) -> str:
    """Say that figures leave methods out, if they do."""
    if len(shown) == len(runs):
        return ""
    number, total = (len(set(group_labels(several))) for several in (shown, runs))
    return (
        f"Of {total} methods and settings {number} are drawn, one setting of each method first; "
        "the tables hold all, and a report of other runs draws others."
    )


def seeds_note(shown: Sequence[Run], runs: Sequence[Run]) -> str:
    """Say that only first seeds are shown, if so."""
    if len(shown) == len(runs):
        return ""
    return (
        "Of runs that differ in the seed alone the first is shown "
        f"({len(shown)} of {len(runs)} runs)."
    )


def shown_tasks(names: Sequence[str], most: int = MOST_TASKS) -> list[str]:
    """The tasks that figures show: all, or as many as `most`, evenly spaced."""
    return evenly(names, most)


def tasks_note(names: Sequence[str], most: int = MOST_TASKS) -> str:
    """Say that figures leave tasks out, if they do."""
    if len(names) <= most:
        return ""
    return f"Of {len(names)} tasks {most} are shown, evenly spaced."


def infinite_note(left_out: Sequence[str]) -> str:
    """Say which Fisher scores cannot be drawn.

    Args:
        left_out: such as `fggm before FOMC`.

    Returns:
        A sentence; empty if there are none.
    """
    if not left_out:
        return ""
    listed = ", ".join(evenly(left_out, MOST_TASKS))
    more = f" (of {len(left_out)})" if len(left_out) > MOST_TASKS else ""
    return f"Left out, since some of their Fisher scores are not finite: {listed}{more}."


def sentences(*notes: str) -> str:
    """Notes that say something, one after the other."""
    return " ".join(filter(None, notes))
