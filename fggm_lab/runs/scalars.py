"""Every number that a run's log follows over its steps, by name."""

from collections.abc import Iterator

from fggm_lab.errors import RunError, SettingError, nearest
from fggm_lab.runs.events import Event
from fggm_lab.runs.run import Run

Series = list[tuple[int, float]]
"""(steps since the start of the run, value) in the order of steps."""

_OF_STEPS = ("loss", "lr", "norm")
_OF_TASKS = ("score", "exact", "nll")
_OF_FINISHED = ("peak_memory_mb", "stored_bytes")


def log_scalars(run: Run) -> dict[str, Series]:
    """Every scalar of a run's log, as far as the run has come.

    Args:
        run: finished or not.

    Returns:
        Name → its series, in the order in which the log first has them: `loss`, `lr` and `norm` of
        each step; `general`, `general/SKILL` and `TASK/score`, `TASK/exact`, `TASK/nll` of each
        evaluation, on samples and on whole splits; `seconds/PART`, `moving_share` (units that could
        move, of all), `peak_memory_mb` and `stored_bytes` of each task, at its last step.
        `docs/events.md` says what they are. Values that are not finite are left out.
    """
    series: dict[str, Series] = {}
    step = 0
    for event in run.events():
        if event["kind"] == "step" or event["kind"] == "evaluation":
            step = event["step"]
        for name, value in event_scalars(event):
            if value is not None:
                series.setdefault(name, []).append((step, float(value)))
    return series


def scalar_of(run: Run, name: str) -> Series:
    """One scalar of a run's log.

    Args:
        run: finished or not.
        name: a key of `log_scalars`.

    Returns:
        Its series.

    Raises:
        SettingError: the log has no such scalar; the message lists those it has.
        RunError: the log has none at all yet.
    """
    scalars = log_scalars(run)
    if name in scalars:
        return scalars[name]
    if not scalars:
        raise RunError(f"the log of {run.path} has no numbers yet; look again when it trains")
    raise SettingError(
        f"the log of {run.path} has no scalar '{name}'; there are: {', '.join(scalars)}"
        f"{nearest(name, list(scalars))}"
    )


def event_scalars(event: Event) -> Iterator[tuple[str, float | None]]:
    """The numbers of one event.

    Args:
        event: of a run's log.

    Yields:
        The name of a scalar, as `log_scalars` has it, and its value; None where it is not finite or
        was not measured.
    """
    if event["kind"] == "step":
        for name in _OF_STEPS:
            yield name, event.get(name)  # type: ignore[misc]
    elif event["kind"] == "evaluation":
        for task, scores in event["tasks"].items():
            for name in _OF_TASKS:
                yield f"{task}/{name}", scores.get(name)  # type: ignore[misc]
        if general := event.get("general"):
            yield "general", general["score"]
            for skill, score in general.get("skills", {}).items():
                yield f"general/{skill}", score
    elif event["kind"] == "task":
        for part, seconds in event["seconds"].items():
            yield f"seconds/{part}", seconds
        yield "moving_share", event["kept"] / event["units"] if event["units"] else None
        for name in _OF_FINISHED:
            yield name, event.get(name)  # type: ignore[misc]
