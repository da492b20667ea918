"""Runs side by side: one row per run, or per method over its seeds; refuses what cannot be mixed.

A row is a dictionary with the keys of `columns()`. In a row over seeds, each number is a dictionary
`{"mean", "sd", "n"}`: n the seeds that measured it, sd the sample standard deviation (n - 1 below
the line), None for a single seed.
"""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NoReturn

from fggm_lab.errors import RunError
from fggm_lab.html_table import html_table, plain_lines
from fggm_lab.runs.config import RunConfig
from fggm_lab.runs.first_task import first_task_note
from fggm_lab.runs.listing import RunsLike, as_runs
from fggm_lab.runs.numbers import NUMBERS, read_numbers, shown_numbers
from fggm_lab.runs.run import Run

Row = dict[str, Any]


_BEFORE, _AFTER = (
    {"method": "method", "seed": "seed", "first_task_masked": "first task masked"},
    {
        "general_name": "General on",
        "general_better": "General better",
        "finished": "finished",
        "run": "run",
    },
)
"""The keys of a row before and after its numbers, and their headings."""

_SAME = ("task_names", "task_fingerprint", "split", "limit", "score_limit", "code_execution")
_ADDED_MEASUREMENTS = ("fisher_points", "fisher_examples", "score_unlearned", "distance_samples")
"""Settings that only add measurements: training and all other scores are the same without."""
_OF_METHOD = "method_settings."
_LEVELS = "until_loss"
"""A setting by task of which a label gives the mean."""
_NOT_A_SETTING = {
    "method",
    "seed",
    "model",
    "tasks",
    "general",
    "general_fingerprint",
    "general_choices",
    *_ADDED_MEASUREMENTS,
    *_SAME,
}


class Comparison(list[Row]):
    """Rows of runs side by side: a list of dictionaries with the keys of `columns()`.

    As the last line of a notebook's cell it is a table.
    """

    def __repr__(self) -> str:
        names = [f"{row['method']} (seed {row['seed']})" for row in self[:6]]
        more = f", … {len(self) - 6} more" if len(self) > 6 else ""
        return plain_lines(f"Comparison({len(self)} runs: {', '.join(names)}{more})")

    def _repr_html_(self) -> str:
        shown = shown_numbers(self)
        headings = ["method", "seed", *(number.label for number in shown.values())]
        rows = [
            [row["method"], str(row["seed"]), *(shown[key].text(row[key]) for key in shown)]
            for row in self
        ]
        table = html_table(f"{len(self)} runs side by side", headings, rows)
        note = first_task_note(self)
        return table if note is None else f"{table}<div>{escape(note)}</div>"


def columns() -> dict[str, str]:
    """The keys of a row and the heading of each: what a run is, and every number of `NUMBERS`."""
    return _BEFORE | {key: number.label for key, number in NUMBERS.items()} | _AFTER


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
                refuse_to_mix(first, run, field, a, b)
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
            refuse_to_mix(run, other, "general.name", general["name"], ability["name"])
        a, b = run.config.general_fingerprint, other.config.general_fingerprint
        if None not in (a, b) and a != b:
            refuse_to_mix(run, other, "general_fingerprint", a, b)
        if general["better"] != ability["better"]:
            refuse_to_mix(run, other, "general.better", general["better"], ability["better"])


def comparable_runs(runs: RunsLike) -> list[Run]:
    """Open runs that have to be of one model over the same tasks.

    Args:
        runs: runs or folders.

    Returns:
        The runs.

    Raises:
        RunError: there are none, or they cannot be compared.
    """
    opened = as_runs(runs)
    check_comparable(opened)
    check_same_model(opened)
    return opened


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


def refuse_to_mix(first: Run, second: Run, field: str, a: Any, b: Any) -> NoReturn:
    """Say that two runs differ in a field in which they must not.

    Args:
        first: one run.
        second: the other.
        field: the name of the field.
        a: its value in the first run.
        b: its value in the second.

    Raises:
        RunError: always.
    """

    def show(value: Any) -> str:
        return ", ".join(value) if isinstance(value, list) else str(value)

    raise RunError(
        f"{first.path} and {second.path} cannot be compared: {field} is {show(a)} in the first and "
        f"{show(b)} in the second; compare runs over the same tasks, data and split"
    )


def labels(configs: Sequence[RunConfig]) -> list[str]:
    """A name for each run: its method, with the settings in which it differs from the others.

    A method's own settings are compared among the runs of that method, the rest among all, so that
    runs which differ in their seed only share a name. Paths do not count; fingerprints do.

    Args:
        configs: the configurations of the runs.

    Returns:
        A name for each configuration, in order, such as `fggm (keep=0.5)`.
    """
    settings = [_settings(config) for config in configs]
    peers: dict[str, list[Row]] = {}
    for config, config_settings in zip(configs, settings, strict=True):
        peers.setdefault(config.method, []).append(config_settings)
    shared = {name for name in _different(settings) if not name.startswith(_OF_METHOD)}
    telling = {
        method: sorted(shared | {n for n in _different(of_method) if n.startswith(_OF_METHOD)})
        for method, of_method in peers.items()
    }
    names = []
    for config, config_settings in zip(configs, settings, strict=True):
        parts = [
            f"{name.removeprefix(_OF_METHOD)}={config_settings[name]}"
            for name in telling[config.method]
            if config_settings.get(name) is not None
        ]
        names.append(config.method + (f" ({', '.join(parts)})" if parts else ""))
    return names


def _different(settings: Sequence[Row]) -> set[str]:
    """The names of the settings that are not the same in all."""
    texts: dict[str, set[str]] = {name: set() for single in settings for name in single}
    for name, values in texts.items():
        values.update(json.dumps(single.get(name)) for single in settings)
        if name.endswith("_fingerprint"):
            values.discard("null")  # older versions do not know it
    return {name for name, values in texts.items() if len(values) > 1}


def _settings(config: RunConfig) -> Row:
    """What may tell two runs apart: of a run left its folder's name, of levels their mean."""
    settings = {k: v for k, v in config.settings().items() if k not in _NOT_A_SETTING}
    levels = config.training.until_loss
    if isinstance(levels, dict):
        settings = {k: v for k, v in settings.items() if not k.startswith(f"{_LEVELS}.")}
        settings[_LEVELS] = f"{fmean(levels.values()):.4g} on average"
    if config.branch is not None:
        settings["branch.run"] = Path(config.branch.run).name
    return settings


def comparison(runs: RunsLike) -> Comparison:
    """Set runs side by side, each as a row of its numbers.

    Args:
        runs: a run, a folder of runs, or several of either; over the same tasks.

    Returns:
        One row per run, in the order given: `method`, `seed`, `first_task_masked` (None of a method
        without a mask), the numbers of `NUMBERS` (None where not measured), `general_name`,
        `general_better`, `finished` and `run`, the folder.

    Raises:
        RunError: no runs, or runs that cannot be compared (`check_comparable`).
    """
    runs = as_runs(runs)
    check_comparable(runs)
    labelled = zip(runs, group_labels(runs), strict=True)
    return Comparison(row_of(run, label) for run, label in labelled)


def group_labels(runs: Sequence[Run]) -> list[str]:
    """The `labels` by which runs are averaged over seeds.

    A run that repeats another one, seed and order included, is named so by its folder: averaging
    both would count one draw twice.

    Args:
        runs: the runs to compare.

    Returns:
        A label for each run, in order; runs with the same label are averaged.
    """
    group_names: list[str] = []
    draws = set()
    for run, label in zip(runs, labels([run.config for run in runs]), strict=True):
        order = tuple(run.config.task_names)
        if (label, run.config.training.seed, order) in draws:
            label = f"{label} (repeat: {run.path})"
        draws.add((label, run.config.training.seed, order))
        group_names.append(label)
    return group_names


def row_of(run: Run, label: str) -> Row:
    """One run's row, under the name `label`."""
    scores = run.scores
    general = scores.general if scores is not None else None
    return {
        "method": label,
        "seed": run.config.training.seed,
        "first_task_masked": run.config.first_task_masked,
        **read_numbers(run),
        "general_name": general and general["name"],
        "general_better": general and general["better"],
        "finished": run.finished,
        "run": str(run.path),
    }


def over_seeds(rows: Sequence[Row]) -> list[Row]:
    """Rows of `comparison` averaged by method: mean, sample sd and n of each number over seeds.

    Args:
        rows: of `comparison`.

    Returns:
        One row per method, in the order of their first rows: each number as `{"mean", "sd", "n"}`,
        `seed` and `run` as lists; `finished` says whether all runs are.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["method"], []).append(row)
    return [mean_row(group) for group in groups.values()]


def mean_row(group: Sequence[Row]) -> Row:
    """The rows of one method as one row."""
    row: Row = {key: group[0][key] for key in columns()}
    for key in NUMBERS:
        row[key] = mean_sd_n([single[key] for single in group if single[key] is not None])
    for key in ("seed", "run"):
        row[key] = [single[key] for single in group]
    row["finished"] = all(single["finished"] for single in group)
    for key in ("general_name", "general_better"):
        row[key] = next((single[key] for single in group if single[key] is not None), None)
    return row


def mean_sd_n(values: Sequence[float]) -> dict[str, float | int | None]:
    """`{"mean", "sd", "n"}` of some numbers; sd the sample standard deviation, None of one."""
    return {
        "mean": fmean(values) if values else None,
        "sd": stdev(values) if len(values) > 1 else None,
        "n": len(values),
    }
