"""Runs: the record of one task sequence on disk, its metrics, and runs side by side."""

from fggm_lab.runs.compare import (
    COLUMNS,
    check_comparable,
    comparison,
    comparison_table,
    over_seeds,
    to_csv,
    to_json,
)
from fggm_lab.runs.config import RECORD_FISHER, Branch, RunConfig, versions
from fggm_lab.runs.listing import find_runs
from fggm_lab.runs.metrics import METRICS, measure
from fggm_lab.runs.run import Run
from fggm_lab.runs.scores import General, ScoreMatrix, general

__all__ = [
    "COLUMNS",
    "METRICS",
    "RECORD_FISHER",
    "Branch",
    "General",
    "Run",
    "RunConfig",
    "ScoreMatrix",
    "check_comparable",
    "comparison",
    "comparison_table",
    "find_runs",
    "general",
    "measure",
    "over_seeds",
    "to_csv",
    "to_json",
    "versions",
]
