"""Methods against a baseline, seed by seed: what is common to both drops out of the difference.

Runs of one seed see the same data in the same order, so their scores rise and fall together; the
mean of their differences is known better than the difference of their means. Of runs over several
task orders, those of one seed and one order are paired; see `fggm_lab.runs.orders`.

An interval says how far the mean of other seeds may lie from these. It covers the orders that were
run, taken as draws, and nothing else: not other test items, tasks, models or processors. Orders
that disagree are to be shown one by one, for their mean hides it.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs.bootstrap import bootstrap_interval
from fggm_lab.runs.compare import Row
from fggm_lab.runs.listing import RunsLike
from fggm_lab.runs.numbers import NUMBERS, better_of
from fggm_lab.runs.orders import ordered, orders

CONFIDENCE = 0.95
COVERS = "They cover seeds and the orders run, not other test items, tasks or models."
"""What the intervals speak of, for where they are shown."""
_Pair = tuple[str, int]
"""An order and a seed."""


def paired(
    runs: RunsLike, baseline: str, metrics: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Each method minus the baseline, over the seeds (and task orders) that both have.

    Args:
        runs: a run, a folder of runs, or several of either: two methods or more over the same
            tasks, in one order or several.
        baseline: a method's name in `comparison(runs)`, with settings where those tell it apart.
        metrics: keys of `NUMBERS` that are `pairable`; None: those `paired_by_default`.

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
    pairable = {key: number for key, number in NUMBERS.items() if number.pairable}
    if metrics is None:
        metrics = [key for key, number in pairable.items() if number.paired_by_default]
    for metric in metrics:
        if metric not in pairable:
            raise SettingError(
                f"no metric is named '{metric}'; choose among: {', '.join(pairable)}"
            )
    rows = ordered(runs)
    within_one_order = [metric for metric in metrics if not pairable[metric].over_orders]
    if len(orders(rows)) > 1 and within_one_order:
        raise SettingError(
            f"{within_one_order[0]} is another quantity in each task order and has no mean over "
            "orders; pair the runs of one order at a time"
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
            "with the same seed to pair them"
        )
    return [
        _difference(metric, method, other, base)
        for metric in metrics
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
        "better": better_of(metric, [*other.values(), *base.values()]),
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


def comparisons_note(intervals: int) -> str:
    """How many of so many intervals are expected to miss the true difference.

    Args:
        intervals: how many are shown together.

    Returns:
        A sentence.
    """
    misses = (1 - CONFIDENCE) * intervals
    return (
        f"Of {intervals} intervals of 95 % {misses:.2g} are expected to miss the truth by chance."
    )


def interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval of the mean by Student's t; None of fewer than two numbers."""
    if len(values) < 2:
        return None, None
    from scipy.special import stdtrit  # slow to import

    quantile = float(stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2))
    half = quantile * stdev(values) / math.sqrt(len(values))
    return fmean(values) - half, fmean(values) + half
