"""Runs: the record of one task sequence on disk, its metrics, and runs side by side."""

from typing import Any

from fggm_lab.deprecation import warn_renamed
from fggm_lab.runs.bootstrap import bootstrap_interval
from fggm_lab.runs.compare import (
    check_comparable,
    columns,
    comparison,
    over_seeds,
)
from fggm_lab.runs.config import RECORD_FISHER, Branch, RunConfig, versions
from fggm_lab.runs.first_task import first_task_note
from fggm_lab.runs.forgotten import AnswerChange, forgotten_examples
from fggm_lab.runs.listing import RunsLike, as_runs, find_runs, one_run
from fggm_lab.runs.numbers import NUMBERS, RunNumber, measure
from fggm_lab.runs.orders import by_order, ordered, over_orders
from fggm_lab.runs.paired import paired
from fggm_lab.runs.predictions import Prediction
from fggm_lab.runs.published import beside_published
from fggm_lab.runs.run import Run
from fggm_lab.runs.scalars import log_scalars
from fggm_lab.runs.scores import GeneralScores, ScoreMatrix, general_scores
from fggm_lab.runs.verification import Verification, verify

__all__ = [
    "NUMBERS",
    "RECORD_FISHER",
    "AnswerChange",
    "Branch",
    "GeneralScores",
    "Prediction",
    "Run",
    "RunConfig",
    "RunNumber",
    "RunsLike",
    "ScoreMatrix",
    "Verification",
    "as_runs",
    "beside_published",
    "bootstrap_interval",
    "by_order",
    "check_comparable",
    "columns",
    "comparison",
    "find_runs",
    "first_task_note",
    "forgotten_examples",
    "general_scores",
    "log_scalars",
    "measure",
    "one_run",
    "ordered",
    "over_orders",
    "over_seeds",
    "paired",
    "verify",
    "versions",
]


def __getattr__(name: str) -> Any:
    """Names of version 0.1, accepted for one release."""
    if name == "METRICS":
        warn_renamed("fggm_lab.runs.METRICS", "fggm_lab.runs.NUMBERS")
        return {key: number for key, number in NUMBERS.items() if number.of_scores}
    if name == "COLUMNS":
        warn_renamed("fggm_lab.runs.COLUMNS", "fggm_lab.runs.columns()")
        return columns()
    raise AttributeError(f"module 'fggm_lab.runs' has no attribute '{name}'")
