"""Made-up rows of studies."""

import math
from collections.abc import Callable, Sequence

from fggm_lab.methods import METHODS
from studies.chosen import Tuning
from studies.planned import PlannedRun
from studies.rows import Row, StudyRows

Gain = Callable[[PlannedRun], float]
Memory = dict[str, StudyRows]
"""Study → its rows, in place of the files."""


def made_row(study: str, run: PlannedRun, general: float, op: float = 0.5) -> Row:
    """A row as a run would have brought it."""
    settings = METHODS[run.method](**run.own_settings()).settings
    return {
        "command": run.command(study), "method": run.method, "seed": run.seed, "lr": run.lr,
        "settings": settings, "tasks": ["FOMC"], "general_after": general, "op_final": op,
        "seconds": 60.0, "losses_learned": {"FOMC": 0.5},
    }  # fmt: skip


def trained(memory: Memory, tuning: Tuning, methods: Sequence[str], gain: Gain) -> list[PlannedRun]:
    """Bring a row for each planned run until nothing more is planned."""
    runs: list[PlannedRun] = []
    while missing := [run for run in tuning.plan(methods).runs if run not in runs]:
        study = memory[tuning.name]
        study.rows.extend(made_row(tuning.name, run, gain(run)) for run in missing)
        runs += missing
    return runs


def peak_at(rate: float, run: PlannedRun) -> float:
    """A gain that falls on both sides of a rate, by octaves."""
    return 0.9 - 0.1 * abs(math.log2(run.lr / rate)) + 0.001 * run.seed
