"""Choosing the mask of a million units from their scores, in either scope."""

import torch

from benchmarks.harness import Column, Report, Row, Settings, Target, raw, side_by_side
from fggm_lab.fisher import FisherInfo, FisherScores
from fggm_lab.masks import SCOPES, Mask

LIMIT_MS = 50.0
PARAMETERS = 250


def run(settings: Settings) -> Report:
    """One row per scope."""
    units = 10_000 if settings.size == "tiny" else 1_000_000
    rows = measure(make_scores(units), settings)
    columns = [
        Column("scope", "scope"),
        Column("units", "units", ",d"),
        Column("parameters", "parameters", "d"),
        Column("ms", "ms", ".1f"),
    ]
    targets = [
        Target(f"mask from scores, scope {row['scope']}, ms", row["ms"], LIMIT_MS) for row in rows
    ]
    return Report(f"Mask of {units:,} units from their scores", columns, rows, targets)


def make_scores(units: int) -> FisherScores:
    """Scores of many orders of magnitude, as Fisher scores are, spread over many parameters."""
    draw = torch.Generator().manual_seed(0)
    units_each = units // PARAMETERS
    scores = {
        f"layers.{i}.weight": torch.exp(6 * torch.randn(units_each, generator=draw))
        for i in range(PARAMETERS)
    }
    info = FisherInfo("empirical", "input", examples=1, tokens=1, model="random")
    return FisherScores(scores, dict.fromkeys(scores, 0), None, info)


def measure(scores: FisherScores, settings: Settings) -> list[Row]:
    """Time both scopes side by side."""
    timings = side_by_side(
        {scope: lambda scope=scope: Mask.top(scores, 0.3, scope) for scope in SCOPES},  # type: ignore[misc]
        settings,
    )
    return [
        {
            "scope": scope,
            "units": scores.unit_count,
            "parameters": len(scores.units),
            "ms": 1e3 * timing.median,
            "raw": raw({scope: timing})[scope],
        }
        for scope, timing in timings.items()
    ]
