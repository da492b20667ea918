"""What runs show, in one sentence made from their numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from fggm_lab.errors import RunError
from fggm_lab.runs.compare import Row, comparison, over_seeds
from fggm_lab.runs.listing import RunsLike, as_runs
from fggm_lab.runs.numbers import NUMBERS
from fggm_lab.runs.paired import paired

BASELINE = "sft"
"""What the others are compared with where it was run: plain fine-tuning."""

METRICS = ("op_final", "forgetting", "general_after")
"""The numbers that the sentence is about."""


def finding(runs: RunsLike) -> str | None:
    """Say what finished runs show: how the method with the best tasks differs from the baseline.

    The baseline is plain fine-tuning, or else the method with the lowest OP. Differences are
    means over pairs of one seed, of what both methods have; of two pairs or more they carry their
    95 % interval, of one the sentence says that it is one. Another method that keeps General best
    is named.

    Args:
        runs: a run, a folder of runs, or several of either; over the same tasks in one order.

    Returns:
        A sentence; None unless two methods have finished two tasks or more.

    Raises:
        RunError: no runs, or runs that cannot be compared.
    """
    finished = [run for run in as_runs(runs) if run.finished and len(run.config.task_names) > 1]
    rows = {row["method"]: row for row in over_seeds(comparison(finished))} if finished else {}
    if len(rows) < 2:
        return None

    def final_score(method: str) -> float:
        return _mean(rows[method], "op_final") or 0.0

    baseline = BASELINE if BASELINE in rows else min(rows, key=final_score)
    best = max((method for method in rows if method != baseline), key=final_score)
    try:
        differences = {
            row["metric"]: row
            for row in paired(finished, baseline, METRICS)
            if row["method"] == best and row["n"]
        }
    except RunError:
        differences = {}
    if not differences:
        return (
            f"{best} ends at OP {final_score(best):.3f} and {baseline} at "
            f"{final_score(baseline):.3f}, but they share no seed, so the difference may be chance."
        )
    pairs = max(row["n"] for row in differences.values())
    losses = _general_is_loss(rows)
    clauses = [_clause(row, baseline, losses) for row in differences.values()]
    sentence = f"{best} {_listed(clauses)}"
    if (keeper := _keeper(rows)) not in (best, None):
        number = NUMBERS["general_after"].text(_mean(rows[str(keeper)], "general_after"))
        sentence += f"; {keeper} keeps General best ({number})"
    if pairs == 1:
        return f"{sentence}. One seed each: a small difference may be chance."
    return f"{sentence}. Means of {pairs} pairs of one seed, with 95 % intervals."


def _general_is_loss(rows: Mapping[str, Row]) -> bool:
    return any(row["general_better"] == "lower" for row in rows.values())


def _clause(row: Mapping[str, Any], baseline: str, losses: bool) -> str:
    """A difference in words: `forgets 0.060 less than sft (0.044 to 0.076)`."""
    size, above = f"{abs(row['mean']):.3f}", row["mean"] > 0
    level = float(size) == 0
    end = "level with" if level else f"{size} {'higher' if above else 'lower'} than"
    clause = {
        "op_final": f"ends {end} {baseline} on the tasks (OP)",
        "forgetting": "forgets as much"
        if level
        else f"forgets {size} {'more' if above else 'less'}",
        "general_after": f"ends {end.removesuffix(' than').removesuffix(' with')} "
        f"{'in the loss on' if losses else 'on'} General",
    }[row["metric"]]
    if row["low"] is None:
        return clause
    ends = sorted((row["low"], row["high"]) if above else (-row["high"], -row["low"]))
    return f"{clause} [{ends[0]:.3f} to {ends[1]:.3f}]"


def _keeper(rows: Mapping[str, Row]) -> str | None:
    """The method with the best General at the end; None where none is better than all others."""
    measured = {
        method: value
        for method, row in rows.items()
        if (value := _mean(row, "general_after")) is not None
    }
    if not measured:
        return None
    best = (min if _general_is_loss(rows) else max)(measured.values())
    keepers = [method for method, value in measured.items() if value == best]
    return keepers[0] if len(keepers) == 1 else None


def _mean(row: Row, key: str) -> float | None:
    value: float | None = row[key]["mean"]
    return value


def _listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
