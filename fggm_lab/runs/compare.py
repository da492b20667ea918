"""Runs side by side: one row per run, or per method over its seeds; refuses what cannot be mixed.

A row is a dictionary with the keys of `COLUMNS`. In a row over seeds, each number is a dictionary
`{"mean", "sd", "n"}`: n the seeds that measured it, sd the sample standard deviation (n - 1 below
the line), None for a single seed.
"""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from fggm_lab.errors import RunError
from fggm_lab.runs.config import RunConfig
from fggm_lab.runs.metrics import METRICS
from fggm_lab.runs.run import Run

Row = dict[str, Any]

_NUMBERS: dict[str, str] = {
    "general_before": "General before",
    "general_after": "General after",
    **{name: metric.label for name, metric in METRICS.items()},
    "seconds": "seconds",
    "learning_seconds": "seconds to learn",
    "stored_mb": "keeps MB",
    "peak_memory_mb": "peak MB",
}
COLUMNS: dict[str, str] = {
    "method": "method",
    "seed": "seed",
    **_NUMBERS,
    "general_name": "General on",
    "general_better": "General better",
    "finished": "finished",
    "run": "run",
}
"""The keys of a row and the heading of each."""

_SAME = ("task_names", "task_fingerprint", "split", "limit", "score_limit", "code_execution")
_LOOKING = ("fisher_points", "fisher_examples")
"""What is recorded to be looked at, and changes nothing in training or its scores."""
_NOT_A_SETTING = {
    "method",
    "seed",
    "model",
    "tasks",
    "general",
    "general_choices",
    *_LOOKING,
    *_SAME,
}

MAIN = (
    "general_after",
    "op_final",
    "bwt_gem",
    "forgetting",
    "learning_accuracy",
    "learning_seconds",
    "peak_memory_mb",
)
"""The numbers a table shows unless asked for others; they fit into 80 characters."""


def check_comparable(runs: Sequence[Run]) -> None:
    """Refuse runs whose numbers do not measure the same thing.

    Raises:
        RunError: two runs differ in their tasks, data, split or General; names both and the field.
    """
    if not runs:
        raise RunError("there is no run to compare; make one with fggm-lab run")
    first = runs[0]
    for run in runs[1:]:
        for field in _SAME:
            a, b = getattr(first.config, field), getattr(run.config, field)
            if a != b:
                raise cannot_mix(first, run, field, a, b)
    check_general(runs)


def check_general(runs: Sequence[Run]) -> None:
    """Refuse runs whose General measures different things; what has measured none passes.

    Raises:
        RunError: names two runs and the field.
    """
    measured = [(run, s.general) for run in runs if (s := run.scores) and s.general["name"]]
    for other, ability in measured[1:]:
        run, general = measured[0]
        if general["name"] != ability["name"]:
            raise cannot_mix(run, other, "general.name", general["name"], ability["name"])
        if general["better"] != ability["better"]:
            raise cannot_mix(run, other, "general.better", general["better"], ability["better"])


def check_same_model(runs: Sequence[Run]) -> None:
    """Refuse runs that did not start from the same weights: their units are not the same.

    Raises:
        RunError: two runs differ in their model; names both.
    """
    for run in runs[1:]:
        a, b = runs[0].config, run.config
        if a.model_fingerprint != b.model_fingerprint:
            raise RunError(
                f"{runs[0].path} and {run.path} start from different models ({a.model}, weights "
                f"{a.model_fingerprint}; {b.model}, weights {b.model_fingerprint}); look at the "
                "runs of one model at a time"
            )


def first_seeds(runs: Sequence[Run]) -> list[Run]:
    """Of runs that differ in their seed alone the first, in order."""
    first: dict[str, Run] = {}
    for run, label in zip(runs, labels([run.config for run in runs]), strict=True):
        first.setdefault(label, run)
    return list(first.values())


def cannot_mix(first: Run, second: Run, field: str, a: Any, b: Any) -> RunError:
    """The error for two runs that differ in a field in which they must not."""

    def show(value: Any) -> str:
        return ", ".join(value) if isinstance(value, list) else str(value)

    return RunError(
        f"{first.path} and {second.path} cannot be compared: {field} is {show(a)} in the first and "
        f"{show(b)} in the second; compare runs over the same tasks, data and split"
    )


def labels(configs: Sequence[RunConfig]) -> list[str]:
    """A name for each run: its method, with the settings in which it differs from the others.

    A method's own settings are compared among the runs of that method, the rest among all, so that
    runs which differ in their seed only share a name. Paths do not count; fingerprints do.
    """
    settings = [_settings(config) for config in configs]
    named = []
    for config, own in zip(configs, settings, strict=True):
        peers = [s for s, c in zip(settings, configs, strict=True) if c.method == config.method]
        parts = []
        for name in sorted({name for one in settings for name in one}):
            among = peers if name.startswith("method_settings.") else settings
            if len({json.dumps(one.get(name)) for one in among}) > 1 and own.get(name) is not None:
                parts.append(f"{name.removeprefix('method_settings.')}={own[name]}")
        named.append(config.method + (f" ({', '.join(parts)})" if parts else ""))
    return named


def _settings(config: RunConfig) -> Row:
    """What may tell two runs apart; of the run a branch left, only its folder's name."""
    settings = {k: v for k, v in config.settings().items() if k not in _NOT_A_SETTING}
    if config.branch is not None:
        settings["branch.run"] = Path(config.branch.run).name
    return settings


def comparison(runs: Sequence[Run]) -> list[Row]:
    """One row per run, in the order given; None where a run has not measured something.

    Raises:
        RunError: no runs, or runs that cannot be compared (`check_comparable`).
    """
    check_comparable(runs)
    return [row_of(run, label) for run, label in zip(runs, group_labels(runs), strict=True)]


def group_labels(runs: Sequence[Run]) -> list[str]:
    """The `labels` by which runs are gathered over seeds.

    A run that repeats another one, seed and order included, is named so by its folder: averaging
    both would count one draw twice.
    """
    found: list[str] = []
    seen = set()
    for run, label in zip(runs, labels([run.config for run in runs]), strict=True):
        order = tuple(run.config.task_names)
        if (label, run.config.seed, order) in seen:
            label = f"{label} (repeat: {run.path})"
        seen.add((label, run.config.seed, order))
        found.append(label)
    return found


def row_of(run: Run, label: str) -> Row:
    """One run's row, under the name `label`."""
    scores = run.scores
    ability: Mapping[str, Any] = scores.general if scores else {}
    values = {
        "method": label,
        "seed": run.config.seed,
        "general_before": ability.get("before"),
        "general_after": ability.get("after"),
        **run.metrics(),
        "seconds": run.seconds,
        "learning_seconds": run.learning_seconds,
        "stored_mb": run.stored_mb,
        "peak_memory_mb": run.peak_memory_mb,
        "general_name": ability.get("name"),
        "general_better": ability.get("better"),
        "finished": run.finished,
        "run": str(run.path),
    }
    return {key: values[key] for key in COLUMNS}


def over_seeds(rows: Sequence[Row]) -> list[Row]:
    """Rows of `comparison` gathered by method: mean, sample sd and n of each number over seeds.

    `seed` and `run` become lists; `finished` says whether all runs are.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["method"], []).append(row)
    return [gathered(group) for group in groups.values()]


def gathered(group: Sequence[Row]) -> Row:
    """The rows of one method as one row."""
    row: Row = {key: group[0][key] for key in COLUMNS}
    for key in _NUMBERS:
        row[key] = spread([one[key] for one in group if one[key] is not None])
    for key in ("seed", "run"):
        row[key] = [one[key] for one in group]
    row["finished"] = all(one["finished"] for one in group)
    for key in ("general_name", "general_better"):
        row[key] = next((one[key] for one in group if one[key] is not None), None)
    return row


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """`{"mean", "sd", "n"}` of some numbers; sd the sample standard deviation, None of one."""
    return {
        "mean": fmean(values) if values else None,
        "sd": stdev(values) if len(values) > 1 else None,
        "n": len(values),
    }


def to_json(rows: Sequence[Row]) -> str:
    """The rows as a JSON list of objects."""
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV with a header; a number over seeds takes columns KEY_mean, KEY_sd, KEY_n."""
    flat = [_flat(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]) if flat else list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(row: Row) -> Row:
    flat: Row = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}_{part}": inner for part, inner in value.items()}
        else:
            flat[key] = " ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def falling(rows: Sequence[Row]) -> set[str]:
    """The numbers of which less is better."""
    less = {name for name, metric in METRICS.items() if metric.better == "lower"}
    if any(row["general_better"] == "lower" for row in rows):
        less |= {"general_before", "general_after"}
    return less


def comparison_table(
    rows: Sequence[Row], columns: Sequence[str] = MAIN, title: str | None = None
) -> Table:
    """The rows as a rich table; `–` is not measured, ↓ better if lower, * unfinished.

    Args:
        rows: of `comparison` or `over_seeds`.
        columns: the numbers to show, keys of `COLUMNS`.
        title: printed above.
    """
    less = falling(rows)
    notes = ["↓ lower is better"] if less & set(columns) else []
    before = {_cell("general_before", row["general_before"], 1).split("\n")[0] for row in rows}
    if "general_before" not in columns and before - {"–"}:
        notes.append(f"General before training: {', '.join(sorted(before - {'–'}))}")
    notes += ["* unfinished"] if not all(row["finished"] for row in rows) else []
    table = Table(title=title, box=SIMPLE_HEAD, padding=0, pad_edge=False)
    table.caption = "; ".join(notes) or None
    table.add_column("method", overflow="fold")
    table.add_column("seeds", justify="right", no_wrap=True)
    for key in columns:
        heading = COLUMNS[key] + (" ↓" if key in less else "")
        stacked = re.sub(r"(?<!÷) ", "\n", heading)
        table.add_column(stacked, justify="right", no_wrap=True)
    for row in rows:
        several = isinstance(row["seed"], list)
        seeds = len(row["seed"]) if several else 1
        method = escape(row["method"]) + ("" if row["finished"] else " *")
        shown = f"n={seeds}" if several else str(row["seed"])
        table.add_row(method, shown, *(_cell(key, row[key], seeds) for key in columns))
    return table


def _cell(key: str, value: Any, seeds: int) -> str:
    """One number as text; a mean over seeds has its sd below."""

    def show(number: float | None) -> str:
        places = 0 if key in ("seconds", "learning_seconds", "peak_memory_mb") else 3
        return "–" if number is None else f"{number:.{places}f}"

    if not isinstance(value, dict):
        return show(value)
    lines = [show(value["mean"])]
    if value["sd"] is not None:
        lines.append(f"±{show(value['sd'])}")
    if 0 < value["n"] < seeds:
        lines.append(f"n={value['n']}")
    return "\n".join(lines)
