"""Runs: the record of one task sequence on disk, its metrics, and runs side by side."""

from fggm_lab.runs.bootstrap import bootstrap_interval
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
from fggm_lab.runs.listing import RunsLike, as_runs, find_runs, one_run
from fggm_lab.runs.metrics import METRICS, measure
from fggm_lab.runs.orders import by_order, ordered, over_orders
from fggm_lab.runs.paired import paired
from fggm_lab.runs.predictions import Prediction
from fggm_lab.runs.published import beside_published, published_table
from fggm_lab.runs.run import Run
from fggm_lab.runs.scores import General, ScoreMatrix, general

__all__ = [
    "COLUMNS",
    "METRICS",
    "RECORD_FISHER",
    "Branch",
    "General",
    "Prediction",
    "Run",
    "RunConfig",
    "RunsLike",
    "ScoreMatrix",
    "as_runs",
    "beside_published",
    "bootstrap_interval",
    "by_order",
    "check_comparable",
    "comparison",
    "comparison_table",
    "find_runs",
    "general",
    "measure",
    "one_run",
    "ordered",
    "over_orders",
    "over_seeds",
    "paired",
    "published_table",
    "to_csv",
    "to_json",
    "versions",
]
