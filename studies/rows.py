"""What a run came to, as the row that is kept of it in `studies/rows/`."""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import Any

from fggm_lab.deprecation import stored_settings
from fggm_lab.errors import RunError
from fggm_lab.files import read_json, write_text
from fggm_lab.runs import NUMBERS, Run, find_runs

Row = dict[str, Any]
ROWS_FOLDER = Path(__file__).resolve().parent / "rows"


def row_of(run: Run) -> Row:
    """One run's settings and numbers.

    The losses are nats per answer token: of each task right after it was learned, and of all tasks
    at the end.

    Args:
        run: a finished run.

    Returns:
        The row, JSON-able.

    Raises:
        RunError: the run is not finished.
    """
    config, scores = run.config, run.scores
    if scores is None or not run.finished:
        raise RunError(f"{run.path} is not finished; run the study again")
    numbers = {key: number.read(run) for key, number in NUMBERS.items()}
    shown = {key: numbers[key] for key, number in NUMBERS.items() if number.in_tables}
    return {
        "method": config.method,
        "seed": config.training.seed,
        "lr": config.training.lr,
        "settings": config.method_settings,
        "tasks": config.task_names,
        "split": config.training.split,
        "general_before": numbers["general_before"],
        **{key: value for key, value in shown.items() if not NUMBERS[key].cost},
        **_losses(run),
        **{key: value for key, value in shown.items() if NUMBERS[key].cost},
        "stored_mb": numbers["stored_mb"],
    }


def _losses(run: Run) -> dict[str, float]:
    """Loss when learned, and at the end; the evaluations after each task have them."""
    evaluations = [event["tasks"] for event in run.events("evaluation") if event["final"]]
    names = run.config.task_names
    after = evaluations[-len(names) :]  # one before the first task, where there is one
    learned = [tasks[name]["nll"] for name, tasks in zip(names, after, strict=True)]
    return {
        "loss_learned": fmean(learned),
        "loss_end": fmean(after[-1][name]["nll"] for name in names),
    }


def store_rows(study: str, folder: Path, commands: Iterable[str]) -> None:
    """Write the rows of a study's runs, sorted, one a line, beside what made them."""
    rows = [row_of(run) for run in find_runs(folder)]
    rows.sort(key=lambda row: json.dumps([row["method"], row["lr"], row["settings"], row["seed"]]))
    versions = find_runs(folder)[0].config.versions
    head = json.dumps({"commands": list(commands), "versions": versions}, indent=1)[:-2]
    lines = ",\n".join("  " + json.dumps(_short(row)) for row in rows)
    ROWS_FOLDER.mkdir(exist_ok=True)
    write_text(ROWS_FOLDER / f"{study}.json", f'{head},\n "rows": [\n{lines}\n ]\n}}\n')


def _short(value: Any) -> Any:
    """Numbers with five digits: more is noise, and a page's table shows three."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    return value


def stored_rows(study: str) -> dict[str, Any]:
    """What `keep` wrote: `commands`, `versions` and `rows`; no rows if the study was never run."""
    path = ROWS_FOLDER / f"{study}.json"
    empty: dict[str, Any] = {"commands": [], "versions": {}, "rows": []}
    if not path.exists():
        return empty
    study_rows = read_json(path, RunError)
    rows = [
        {**row, "settings": stored_settings(row["method"], row["settings"])}
        for row in study_rows["rows"]
    ]
    return {**study_rows, "rows": rows}
