"""Runs over several task orders: rows per order, and a mean over orders of what allows one.

The rule. Runs of one order are compared as ever. Runs of several orders may stand in one table only
where they trained on the same examples of the same tasks, and scored the same split; they stand
there order by order. Averaged over orders are the numbers that take every task alike, whatever its
place: General, OP, learning accuracy, BWT and forgetting (which leave out just each order's last
task), time and memory. The mean OP over steps and FWT weigh tasks by their place, so that another
order makes another quantity of them: they are given per order only. A mean over orders is one over
the pairs of an order and a seed; a method that lacks an order which others have gets none, for it
would be a mean over other things. Its spread and its interval speak of these orders: two or three
are no sample of all orders.
"""

from collections.abc import Sequence
from typing import Any

from fggm_lab.errors import RunError
from fggm_lab.runs.compare import (
    Row,
    check_comparable,
    check_general,
    group_labels,
    mean_row,
    mean_sd_n,
    over_seeds,
    refuse_to_mix,
    row_of,
)
from fggm_lab.runs.listing import RunsLike, as_runs
from fggm_lab.runs.numbers import NUMBERS
from fggm_lab.runs.run import Run


def order_of(run: Run) -> str:
    """A run's tasks in the order it learned them, as a row names it."""
    return ", ".join(run.config.task_names)


def check_same_data(runs: Sequence[Run]) -> None:
    """Refuse runs that differ in more than their order, as far as their numbers measure.

    Raises:
        RunError: two runs of one order cannot be compared (`check_comparable`), or two of different
            orders differ in their tasks, examples, split, limit or General; names both.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(order_of(run), []).append(run)
    for group in groups.values():
        check_comparable(group)
    first, *others = [group[0] for group in groups.values()]
    for other in others:
        for field, a, b in _across(first, other):
            if a != b:
                refuse_to_mix(first, other, field, a, b)
        if first.config.data_fingerprint is None:
            raise RunError(
                f"{first.path} and {other.path} have different task orders and were made by a "
                "version that did not record whether their examples are the same; compare them "
                "order by order, or repeat them"
            )
    check_general(runs)


def _across(first: Run, other: Run) -> list[tuple[str, Any, Any]]:
    """What must be equal in two runs of different orders."""
    a, b = first.config, other.config
    return [
        ("the set of tasks", sorted(a.task_names), sorted(b.task_names)),
        *(
            (f, getattr(a, f), getattr(b, f))
            for f in ("data_fingerprint", "split", "limit", "score_limit")
        ),
    ]


def ordered(runs: RunsLike) -> list[Row]:
    """One row per run, as `comparison` makes them, each with its `order`; orders may differ.

    Args:
        runs: a run, a folder of runs, or several of either, in one task order or several.

    Returns:
        The rows, in the order of the runs; `order` holds the tasks' names.

    Raises:
        RunError: no runs, or runs that cannot be compared (`check_same_data`).
    """
    runs = as_runs(runs)
    check_same_data(runs)
    return [
        {"order": order_of(run), **row_of(run, label)}
        for run, label in zip(runs, group_labels(runs), strict=True)
    ]


def orders(rows: Sequence[Row]) -> list[str]:
    """The task orders among rows of `ordered`, each once."""
    return list(dict.fromkeys(row["order"] for row in rows))


def by_order(rows: Sequence[Row]) -> list[Row]:
    """Rows of `ordered` averaged over seeds within each order, as `over_seeds` does."""
    return [
        {"order": order, **row}
        for order in orders(rows)
        for row in over_seeds([row for row in rows if row["order"] == order])
    ]


def over_orders(rows: Sequence[Row]) -> list[Row]:
    """Rows of `ordered` averaged by method over all pairs of an order and a seed.

    Args:
        rows: of `ordered`.

    Returns:
        One row per method that has a run of every order; `incomplete` names the others. `order` is
        the list of orders; numbers that depend on the order are None, n 0.
    """
    missing = incomplete(rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row["method"] not in missing:
            groups.setdefault(row["method"], []).append(row)
    within_one_order = {key: mean_sd_n([]) for key, n in NUMBERS.items() if not n.over_orders}
    return [
        {"order": orders(group), **mean_row(group), **within_one_order} for group in groups.values()
    ]


def incomplete(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The methods that lack an order: method → the orders it has no run of."""
    all_orders = orders(rows)
    orders_by_method: dict[str, set[str]] = {}
    for row in rows:
        orders_by_method.setdefault(row["method"], set()).add(row["order"])
    return {
        method: [order for order in all_orders if order not in orders_of_method]
        for method, orders_of_method in orders_by_method.items()
        if len(orders_of_method) < len(all_orders)
    }
