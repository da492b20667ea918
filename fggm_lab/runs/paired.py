"""Methods against a baseline, seed by seed: what is common to both drops out of the difference.

Runs of one seed see the same data in the same order, so their scores rise and fall together; the
mean of their differences is known better than the difference of their means.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs.compare import Row, comparison
from fggm_lab.runs.metrics import METRICS
from fggm_lab.runs.run import Run

CONFIDENCE = 0.95
PAIRED = ("general_after", *METRICS)
"""The numbers of a run that can be paired."""
DEFAULT = ("general_after", "op_final", "bwt_gem", "learning_accuracy")


def paired(
    runs: Sequence[Run], baseline: str, metrics: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Each method minus the baseline, over the seeds that both have.

    Args:
        runs: of two methods or more over the same tasks.
        baseline: a method's name in `comparison(runs)`, with settings where those tell it apart.
        metrics: among `PAIRED`; None: `DEFAULT`.

    Returns:
        One row per metric and method: `metric`, `better` (`higher` or `lower`), `method`, `seeds`
        and `differences` (those that both have measured), `n`, `mean`, and `low` and `high`: the
        95 % interval of Student's t over seeds, mean ± t · sd / √n with n − 1 degrees of freedom;
        None of one seed, as is the mean of none.

    Raises:
        SettingError: no metric has that name.
        RunError: runs that cannot be compared, an unknown baseline, or one that shares no seed with
            any other method.
    """
    chosen = DEFAULT if metrics is None else tuple(metrics)
    for metric in chosen:
        if metric not in PAIRED:
            raise SettingError(f"no metric is named '{metric}'; choose among: {', '.join(PAIRED)}")
    groups: dict[str, dict[int, Row]] = {}
    for row in comparison(runs):
        groups.setdefault(row["method"], {})[row["seed"]] = row
    if baseline not in groups:
        raise RunError(
            f"no run is of the baseline '{baseline}'; the methods are: {', '.join(groups)}"
        )
    base = groups.pop(baseline)
    if not any(base.keys() & other.keys() for other in groups.values()):
        seeds = ", ".join(str(seed) for seed in sorted(base))
        raise RunError(
            f"no other method has a run of a seed that {baseline} has ({seeds}); train two methods "
            "with the same --seed to pair them"
        )
    return [
        _difference(metric, method, other, base)
        for metric in chosen
        for method, other in groups.items()
    ]


def _difference(
    metric: str, method: str, other: dict[int, Row], base: dict[int, Row]
) -> dict[str, Any]:
    both = {
        seed: other[seed][metric] - base[seed][metric]
        for seed in sorted(base.keys() & other.keys())
        if other[seed][metric] is not None and base[seed][metric] is not None
    }
    differences = list(both.values())
    low, high = interval(differences)
    return {
        "metric": metric,
        "better": _better(metric, [*other.values(), *base.values()]),
        "method": method,
        "seeds": list(both),
        "differences": differences,
        "n": len(differences),
        "mean": fmean(differences) if differences else None,
        "low": low,
        "high": high,
    }


def _better(metric: str, rows: Sequence[Row]) -> str:
    if metric in METRICS:
        return METRICS[metric].better
    return next((row["general_better"] for row in rows if row["general_better"]), "higher")


def interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval of the mean by Student's t; None of fewer than two numbers."""
    if len(values) < 2:
        return None, None
    from scipy.special import stdtrit  # slow to import

    quantile = float(stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2))
    half = quantile * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half
