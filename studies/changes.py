"""What changed against the former page: each claim as it was, and as it is now."""

from collections.abc import Sequence
from statistics import fmean

from fggm_lab.runs.paired import interval
from studies.compared import FREE, rows_of
from studies.main_tables import RATE_STUDIES, gaps, rate_rows, with_gaps
from studies.markdown import by, ends, method_of, table
from studies.matching import left_out
from studies.protocol import MORE, PRIORITY
from studies.rows import Row, former_rows
from studies.tuning import gain


def first_task_switch() -> str:
    """FGGM minus MIGU: the first task masked by one and not by the other, as it was; and even."""
    former = [
        {**row, "settings": {**row["settings"], "first_task": True}}
        for row in former_rows("trace-1")
    ]
    rows = rows_of("trace-1")
    lines = [
        [name, *_gap(rows_of_name, *pair)]
        for name, rows_of_name, pair in (
            ("former page: FGGM masked, MIGU free", former, ("fggm", "migu")),
            ("both masked", rows, ("fggm", "migu")),
            ("both free", rows, (f"fggm{FREE}", f"migu{FREE}")),
        )
    ]
    heads = ["first task", "pairs", "General", "Student's t", "OP", "Student's t"]
    return with_gaps(table(heads, lines), "trace-1")


def _gap(rows: Sequence[Row], method: str, other: str) -> list[str]:
    cells: list[str] = []
    for key in ("general_after", "op_final"):
        values = gaps(rows, method, other, key)
        cells += [f"{fmean(values):+.3f}" if values else "–", ends(*interval(values))]
    return [str(len(gaps(rows, method, other, "op_final"))), *cells]


def chosen_rates() -> str:
    """The rate that tuning chose, and what General and OP come to on the test split with it."""
    former, lines = by(former_rows("trace-1"), method_of), []
    now = by(
        [r for r in rows_of("trace-1", "trace-1-more") if r["settings"].get("first_task", True)],
        method_of,
    )
    for method in (*PRIORITY, *MORE):
        if method in former and method in now:
            lines.append([method, *_rate_and_gain(former[method]), *_rate_and_gain(now[method])])
    heads = ["method", "rate then", "mean of General and OP then", "rate now", "the mean now"]
    return with_gaps(table(heads, lines) if lines else "", "trace-1")


def _rate_and_gain(rows: Sequence[Row]) -> list[str]:
    return [f"{rows[0]['lr']:g}", f"{fmean(gain(row) for row in rows):.3f}"]


def matching() -> str:
    """How far readings between rates are off measured points that they did not know."""
    lines = []
    rows_now = {
        method: rows
        for method, rows in rate_rows(*RATE_STUDIES).items()
        if len({row["lr"] for row in rows}) >= 4
    }
    groups = by(former_rows("rates"), method_of) | rows_now
    for method, rows in groups.items():
        cells = []
        for number in ("general_after", "op_final"):
            errors = [
                error
                for group in by(rows, lambda row: str(row["seed"])).values()
                for error in left_out(group, number)
            ]
            cells += [
                f"{fmean(part):+.3f}" if part else "–"
                for part in ([line for line, _ in errors], [curve for _, curve in errors])
            ]
        if cells[0] != "–":
            lines.append([method, *cells])
    heads = ["method", "General: line", "General: curve", "OP: line", "OP: curve"]
    return table(heads, lines)
