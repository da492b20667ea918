"""The rows of planned runs, by what they compare; and which are missing, and why."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from studies import catalog
from studies.chosen import available
from studies.planned import Plan, PlannedRun
from studies.protocol import COMBINED, MASKS, MORE, PRIORITY, SELF_KL_COMBINED
from studies.rows import Row, former_rows, study_rows
from studies.training import piece

FREE = ", first task free"
"""How tables call a mask that leaves the first task unmasked."""
METHOD_ORDER = (
    "untrained", *PRIORITY, *MORE, *COMBINED, *SELF_KL_COMBINED,
)  # fmt: skip
"""The order of methods in tables."""


def label(row: Row) -> str:
    """A row's method, and in what it is a variant: MIGU's magnitude, the first task unmasked."""
    method, settings = str(row["method"]), row["settings"]
    variant = f"{method}, sum" if settings.get("magnitude") == "sum" else method
    free = method in MASKS and not settings.get("first_task", True)
    return variant + FREE if free else variant


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows in the order of the page's methods, masks with the first task masked before free."""
    return sorted(rows, key=lambda row: (METHOD_ORDER.index(row["method"]), label(row)))


@cache
def plan(study: str) -> Plan:
    """The plan of a study, made once for a page."""
    return catalog.plan(study)


def planned_rows(*studies: str) -> list[tuple[PlannedRun, Row]]:
    """The planned runs of studies that have a row, with it."""
    pairs = []
    for study in studies:
        rows = study_rows(study)
        pairs += [(run, row) for run in plan(study).runs if (row := rows.of(study, run))]
    return pairs


def rows_of(*studies: str) -> list[Row]:
    """The rows of the planned runs of studies."""
    return [row for _, row in planned_rows(*studies)]


def rows_or_former(study: str) -> tuple[list[Row], bool]:
    """A study's rows, or while it has none those of the study of its name as it was before.

    Args:
        study: its name.

    Returns:
        The rows, and whether they are the former ones.
    """
    rows = rows_of(study)
    trained = [row for row in rows if row["method"] != "untrained"]
    return (rows, False) if trained else (former_rows(study), True)


def missing(*studies: str) -> str:
    """The planned runs of studies that have no row, and why; empty if none lacks."""
    sentences: list[str] = []
    for study in studies:
        state = piece(study, plan(study))
        lacking = Counter(run.method for run in state.missing)
        if lacking:
            runs = ", ".join(f"{method} ({count})" for method, count in lacking.items())
            sentences.append(f"Not run yet in `{study}`: {runs}.")
        reasons: dict[str, list[str]] = {}
        for run, why in state.failures.items():
            reasons.setdefault(f"failed: {why}", []).append(f"{run.method} seed {run.seed}")
        for method, why in state.waiting.items():
            if method not in lacking:
                reasons.setdefault(why, []).append(method)
        sentences += [
            f"Not in `{study}` yet: {', '.join(names)} ({why})." for why, names in reasons.items()
        ]
    if absent := _absent(studies):
        sentences.append(f"Not in this version: {', '.join(absent)}.")
    return f"*{' '.join(sentences)}*" if sentences else ""


def _absent(studies: Sequence[str]) -> list[str]:
    """The methods that a page's studies name and this version lacks."""
    methods: tuple[str, ...] = ()
    if {"tuning", "trace-1", "trace-2", "code-mini", "tuning-code"} & set(studies):
        methods += PRIORITY
    if any(study.endswith("-more") for study in studies):
        methods += MORE
    if "self-kl" in studies:
        methods += ("self-kl",)
    present = available(methods)
    return [method for method in methods if method not in present]
