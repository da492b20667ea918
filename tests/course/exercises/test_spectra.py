"""The checks on spectra accept right answers and name the usual mistakes."""

from collections.abc import Callable
from typing import Any

import pytest

from fggm_lab.course.exercises.spectra import check_gini, check_richest_module, check_top_share


def gini(scores: list[float]) -> float:
    """Over all pairs, as the definition has it."""
    n, mean = len(scores), sum(scores) / len(scores)
    return sum(abs(a - b) for a in scores for b in scores) / (2 * n * n * mean)


def test_gini() -> None:
    assert check_gini(gini).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda s: 2 * gini(s), "factor 2"),
        (lambda s: gini(s) * len(s) / (len(s) - 1), "n² pairs"),
        (lambda s: -gini(s), "sign"),
        (lambda s: 1 - gini(s), "equality"),
        (lambda s: gini(s) * sum(s) / len(s), "divide by the scores' mean"),
        (lambda s: gini(s) / len(s), "not their sum"),
        (lambda s: 0.5, "it should be"),
        (lambda s: None, "nothing comes back"),
    ],
)
def test_mistakes_with_gini(answer: Callable[..., Any], says: str) -> None:
    message = check_gini(answer)
    assert message.startswith("Not yet") and says in message


def top(scores: Any, share: float, count: Any = round) -> Any:
    return sum(sorted(scores.tolist(), reverse=True)[: count(share * len(scores))])


def test_the_top_share() -> None:
    assert check_top_share(lambda s, share: top(s, share) / s.sum()).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda s, share: -top(-s, share) / s.sum(), "lowest units"),
        (lambda s, share: top(s, share), "divide it by the sum of all"),
        (lambda s, share: s[: round(share * len(s))].sum() / s.sum(), "sort the scores first"),
        (lambda s, share: top(s, share, int) / s.sum(), "int()"),
        (
            lambda s, share: (
                s[s >= s.sort().values[min(len(s) - round(share * len(s)), len(s) - 1)]].sum()
                / s.sum()
            ),
            "ties",
        ),
        (lambda s, share: share, "it should be"),
        (lambda s, share: None, "nothing comes back"),
    ],
)
def test_mistakes_with_the_top_share(answer: Callable[..., Any], says: str) -> None:
    message = check_top_share(answer)
    assert message.startswith("Not yet") and says in message


def best(rows: list[dict[str, Any]], key: Callable[[dict[str, Any]], float]) -> str:
    return max(rows, key=key)["module"]


def richest(rows: list[dict[str, Any]]) -> str:
    totals: dict[str, float] = {}
    for row in rows:
        totals[row["module"]] = totals.get(row["module"], 0) + row["total"]
    return max(totals, key=lambda name: totals[name])


def test_the_richest_module() -> None:
    assert check_richest_module(richest).startswith("Right")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda rows: best(rows, lambda r: r["total"]), "add those up"),
        (lambda rows: best(rows, lambda r: r["total"] / r["units"]), "per unit"),
        (lambda rows: best(rows, lambda r: r["median"]), "median"),
        (lambda rows: 3, "return a module's name"),
        (lambda rows: None, "nothing comes back"),
    ],
)
def test_mistakes_with_the_richest_module(answer: Callable[..., Any], says: str) -> None:
    message = check_richest_module(answer)
    assert message.startswith("Not yet") and says in message
