"""What tuning chooses: for each method the trial with the best mean of General and OP."""

from collections.abc import Sequence

from studies.catalog import RATES, STRENGTHS
from studies.rows import Row


def gain(row: Row) -> float:
    """What is maximised: what the model can still do, and what it has learned, in equal parts."""
    return float(row["general_after"] + row["op_final"]) / 2


def choose(rows: Sequence[Row]) -> dict[str, dict[str, str]]:
    """Method → the settings of its best trial, as the command line writes them."""
    return {
        method: _settings(max((row for row in rows if row["method"] == method), key=gain))
        for method in dict.fromkeys(row["method"] for row in rows)
    }


def first_round(rows: Sequence[Row]) -> list[Row]:
    """The trials of the three learning rates, everything else as it is by default."""
    trials: list[Row] = []
    for method in dict.fromkeys(row["method"] for row in rows):
        method_rows = [
            row for row in rows if row["method"] == method and row["lr"] in map(float, RATES)
        ]
        if method in STRENGTHS:
            name, values = STRENGTHS[method]
            method_rows = [
                row for row in method_rows if row["settings"][name] not in map(float, values)
            ]
        trials += method_rows
    return trials


def _settings(row: Row) -> dict[str, str]:
    chosen = {"lr": f"{row['lr']:g}"}
    if row["method"] in STRENGTHS:
        name, _ = STRENGTHS[row["method"]]
        chosen[name] = f"{row['settings'][name]:g}"
    return chosen
