"""What a run came to, as the row that is kept of it in `studies/rows/`."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from filelock import FileLock

from fggm_lab.deprecation import stored_settings
from fggm_lab.errors import RunError
from fggm_lab.files import read_json, write_text
from fggm_lab.methods import make_method
from fggm_lab.runs import Run
from fggm_lab.runs.numbers import read_numbers
from studies.planned import PlannedRun

Row = dict[str, Any]
ROWS_FOLDER = Path(__file__).resolve().parent / "rows"
FORMER = "former"
"""The folder with rows of the studies as they were before a row carried its command."""


def row_of(run: Run, command: str | None = None) -> Row:
    """One run's settings, provenance and numbers.

    The losses are nats per answer token: of each task right after it was learned, and of all tasks
    at the end.

    Args:
        run: a finished run.
        command: what made it.

    Returns:
        The row, JSON-able; numbers that the run does not have are None.

    Raises:
        RunError: the run is not finished.
    """
    config, scores = run.config, run.scores
    if scores is None or not run.finished:
        raise RunError(f"{run.path} is not finished; run the study again")
    return {
        "command": command,
        "method": config.method,
        "seed": config.training.seed,
        "lr": config.training.lr,
        "settings": config.method_settings,
        "tasks": config.task_names,
        "split": config.training.split,
        **read_numbers(run),
        **_losses(run),
        "general_losses": _general_losses(run),
        "until": [task["until"] for task in run.events("task") if "until" in task] or None,
        "versions": config.versions,
        "processor": getattr(config, "processor", None),
        "threads": getattr(config, "threads", None),
    }


def _losses(run: Run) -> dict[str, Any]:
    """Loss when learned, and at the end; the evaluations after each task have them."""
    evaluations = [event["tasks"] for event in run.events("evaluation") if event["final"]]
    names = run.config.task_names
    after = evaluations[-len(names) :]  # one before the first task, where there is one
    learned = {
        name: _finite(run, tasks[name]["nll"]) for name, tasks in zip(names, after, strict=True)
    }
    return {
        "loss_learned": fmean(learned.values()),
        "loss_end": fmean(_finite(run, after[-1][name]["nll"]) for name in names),
        "losses_learned": learned,
    }


def _general_losses(run: Run) -> dict[str, list[float]] | None:
    """Each text's loss before and after, where General is the loss of several."""
    measured = [
        general["skills"]
        for event in run.events("evaluation")
        if event["final"] and (general := event["general"]) is not None
    ]
    if run.scores is None or run.scores.general["better"] != "lower":
        return None
    return {
        name: [_finite(run, measured[0][name]), _finite(run, after)]
        for name, after in measured[-1].items()
    } or None


def _finite(run: Run, loss: float | None) -> float:
    """A loss that was measured; a log has null for one that is not finite."""
    if loss is None:
        raise RunError(f"{run.path} has a loss that is not finite; leave the run out")
    return loss


@dataclass(frozen=True)
class StudyRows:
    """The rows of a study.

    Attributes:
        rows: one for each run; those of before a row carried its command have none.
        failures: command → what was wrong, of runs that failed when they were last tried.
        head: the study's commands and versions, for the rows that do not carry their own.
    """

    rows: list[Row] = field(default_factory=list)
    failures: Mapping[str, str] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)

    def of(self, study: str, run: PlannedRun) -> Row | None:
        """The row of a planned run, None if there is none."""
        command = run.command(study)
        for row in self.rows:
            if row["command"] == command or (row["command"] is None and _is_of(row, run)):
                return row
        return None


def _is_of(row: Row, run: PlannedRun) -> bool:
    """Whether a row without a command has the method, rate, seed and settings of a run."""
    if (row["method"], row["seed"], row["lr"]) != (run.method, run.seed, run.lr):
        return False
    settings = run.own_settings()
    usual = make_method(run.method, **settings).settings
    return all(usual.get(name) == value for name, value in row["settings"].items())


def study_rows(study: str) -> StudyRows:
    """The rows of a study, none if it was never run."""
    return _read(ROWS_FOLDER / f"{study}.json")


def former_rows(study: str) -> list[Row]:
    """The rows of a study of the same name as it was before a row carried its command."""
    return _read(ROWS_FOLDER / FORMER / f"{study}.json").rows


def _read(path: Path) -> StudyRows:
    if not path.exists():
        return StudyRows()
    content = read_json(path, RunError)
    rows = [
        {
            "command": None, **row,
            "settings": stored_settings(row["method"], row["settings"]),
        }
        for row in content.pop("rows")
    ]  # fmt: skip
    return StudyRows(rows, content.pop("failures", {}), content)


def store_row(study: str, run: PlannedRun, row: Row) -> None:
    """Put a run's row beside the study's other rows, in place of a former one of the same run."""

    def changed(before: StudyRows) -> StudyRows:
        former = before.of(study, run)
        rows = [other for other in before.rows if other is not former]
        failures = {c: why for c, why in before.failures.items() if c != row["command"]}
        return StudyRows([*rows, row], failures, before.head)

    _change(study, changed)


def store_failure(study: str, run: PlannedRun, sentence: str) -> None:
    """Note what was wrong with a run that failed."""
    command = run.command(study)
    _change(
        study,
        lambda before: StudyRows(before.rows, {**before.failures, command: sentence}, before.head),
    )


def keep_only(study: str, runs: tuple[PlannedRun, ...]) -> int:
    """Drop the rows and failures of runs that are planned no more.

    Args:
        study: its name.
        runs: those that are planned.

    Returns:
        How many rows were dropped.
    """
    before = study_rows(study)
    planned = [row for run in runs if (row := before.of(study, run)) is not None]
    commands = {run.command(study) for run in runs}
    failures = {c: why for c, why in before.failures.items() if c in commands}
    if len(planned) < len(before.rows) or len(failures) < len(before.failures):
        _change(study, lambda _: StudyRows(planned, failures, before.head))
    return len(before.rows) - len(planned)


def _change(study: str, changed: Callable[[StudyRows], StudyRows]) -> None:
    """Write a study's file anew, whole, while no other process changes it."""
    path = ROWS_FOLDER / f"{study}.json"
    with _lock(path):
        write_text(path, _text(changed(_read(path))))


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        yield


def _text(study: StudyRows) -> str:
    """A file of rows: one a line, sorted."""

    def sort_key(row: Row) -> str:
        return json.dumps([row["method"], row["lr"], row["settings"], row["tasks"], row["seed"]])

    head = json.dumps({**study.head, "failures": study.failures}, indent=1, ensure_ascii=False)
    lines = ",\n".join(
        "  " + json.dumps(_short({k: v for k, v in row.items() if v is not None}))
        for row in sorted(study.rows, key=sort_key)
    )
    return f'{head[:-2]},\n "rows": [\n{lines}\n ]\n}}\n'


def _short(value: Any) -> Any:
    """Numbers with five digits: more is noise, and a page's table shows three."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    return value
