"""Methods against a baseline, seed by seed: what is common to both drops out of the difference.

Runs of one seed see the same data in the same order, so their scores rise and fall together; the
mean of their differences is known better than the difference of their means. Of runs over several
task orders, those of one seed and one order are paired; see `fggm_lab.runs.orders`.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs.bootstrap import bootstrap_interval
from fggm_lab.runs.compare import Row
from fggm_lab.runs.metrics import METRICS
from fggm_lab.runs.orders import ONE_ORDER, ordered, orders
from fggm_lab.runs.run import Run

CONFIDENCE = 0.95
PAIRED = ("general_after", *METRICS)
"""The numbers of a run that can be paired."""
_Pair = tuple[str, int]
"""An order and a seed."""
DEFAULT = ("general_after", "op_final", "bwt_gem", "learning_accuracy")


def paired(
    runs: Sequence[Run], baseline: str, metrics: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Each method minus the baseline, over the seeds (and task orders) that both have.

    Args:
        runs: of two methods or more over the same tasks, in one order or several.
        baseline: a method's name in `comparison(runs)`, with settings where those tell it apart.
        metrics: among `PAIRED`; None: `DEFAULT`.

    Returns:
        One row per metric and method: `metric`, `better` (`higher` or `lower`), `method`, `orders`,
        `seeds` and `differences` (of the pairs that both have measured), `n`, `mean`, and `low` and
        `high`: the 95 % interval of Student's t over the pairs, mean ± t · sd / √n with n − 1
        degrees of freedom, and `boot_low` and `boot_high`: that of `bootstrap_interval`. Intervals
        of one pair are None, as is the mean of none.

    Raises:
        SettingError: no metric has that name, or it may not be averaged over several orders.
        RunError: runs that cannot be compared, an unknown baseline, or one that shares no seed with
            any other method.
    """
    chosen = DEFAULT if metrics is None else tuple(metrics)
    for metric in chosen:
        if metric not in PAIRED:
            raise SettingError(f"no metric is named '{metric}'; choose among: {', '.join(PAIRED)}")
    rows = ordered(runs)
    if len(orders(rows)) > 1 and (bound := [metric for metric in chosen if metric in ONE_ORDER]):
        raise SettingError(
            f"{bound[0]} is another quantity in each task order and has no mean over orders; pair "
            "the runs of one order at a time"
        )
    groups: dict[str, dict[_Pair, Row]] = {}
    for row in rows:
        groups.setdefault(row["method"], {})[row["order"], row["seed"]] = row
    if baseline not in groups:
        raise RunError(
            f"no run is of the baseline '{baseline}'; the methods are: {', '.join(groups)}"
        )
    base = groups.pop(baseline)
    if not any(base.keys() & other.keys() for other in groups.values()):
        seeds = ", ".join(str(seed) for seed in sorted({seed for _, seed in base}))
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
    metric: str, method: str, other: dict[_Pair, Row], base: dict[_Pair, Row]
) -> dict[str, Any]:
    both = {
        pair: other[pair][metric] - base[pair][metric]
        for pair in sorted(base.keys() & other.keys())
        if other[pair][metric] is not None and base[pair][metric] is not None
    }
    differences = list(both.values())
    low, high = interval(differences)
    boot_low, boot_high = bootstrap_interval(differences)
    return {
        "metric": metric,
        "better": _better(metric, [*other.values(), *base.values()]),
        "method": method,
        "orders": [order for order, _ in both],
        "seeds": [seed for _, seed in both],
        "differences": differences,
        "n": len(differences),
        "mean": fmean(differences) if differences else None,
        "low": low,
        "high": high,
        "boot_low": boot_low,
        "boot_high": boot_high,
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
