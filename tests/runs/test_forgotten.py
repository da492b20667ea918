"""Forgotten examples are those whose stored scores fell, the largest loss first."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fggm_lab as lab
from fggm_lab.errors import RunError, SettingError
from fggm_lab.runs import Run
from tests.support.answers import SCORES, answered_run
from tests.support.records import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return answered_run(tmp_path_factory.mktemp("runs"))


def examples(run: Run, *arguments: Any, **settings: Any) -> list[tuple[str, int]]:
    return [(e.task, e.index) for e in lab.forgotten_examples(run, *arguments, **settings)]


def test_the_largest_loss_comes_first(run: Run) -> None:
    assert examples(run) == [("A", 0), ("B", 1), ("A", 1)]
    assert examples(run, "A") == examples(run, 0) == [("A", 0), ("A", 1)]
    first = lab.forgotten_examples(run)[0]
    assert (first.stage_before, first.stage_after, first.change) == ("A", "C", -1)
    assert (first.prediction_before, first.prediction_after) == ("right 0", "wrong A <0>")
    assert (first.nll_before, first.nll_after) == (0, 1) and first.nll_rise == 1


@pytest.mark.parametrize("before", ["untrained", "learned", "A", "B", 0])
@pytest.mark.parametrize("after", ["last", "B", 2])
@pytest.mark.parametrize("change", ["lost", "gained", "all"])
def test_every_two_stages_are_compared_by_their_scores(
    run: Run, before: Any, after: Any, change: Any
) -> None:
    """Against `SCORES`, example by example."""
    names = ["A", "B", "C"]
    last = "C" if after in ("last", 2) else after
    expected = {}
    for task in names:
        first = {"untrained": None, "learned": task, 0: "A"}.get(before, before)
        if first is not None and names.index(first) >= names.index(last):
            continue
        for index, (a, b) in enumerate(zip(SCORES[task][first], SCORES[task][last], strict=True)):
            if change == "all" or (b < a if change == "lost" else b > a):
                expected[task, index] = b - a
    entries = lab.forgotten_examples(run, before=before, after=after, change=change)
    assert {(e.task, e.index): e.change for e in entries} == expected
    order = [e.change for e in entries]
    assert order == sorted(order, reverse=change == "gained")


def test_of_equal_losses_the_less_likely_answer_comes_first(tmp_path: Path) -> None:
    run = answered_run(tmp_path)
    rows = run.predictions("C")
    run.save_predictions("C", [replace(r, nll=9.0) if r.index == 2 else r for r in rows])
    assert examples(run, "A", change="all") == [("A", 0), ("A", 1), ("A", 2), ("A", 3)]
    assert examples(run, "B", change="all") == [("B", 1), ("B", 2), ("B", 0), ("B", 3)]
    gained = examples(run, "C", change="gained", before="untrained")
    assert [index for _, index in gained] == [0, 1, 3, 2]


def test_texts_are_searched_in_every_field(run: Run) -> None:
    assert examples(run, text="NUMBER 1") == [("B", 1), ("A", 1)]
    assert examples(run, text="wrong a <0>") == [("A", 0)]
    assert examples(run, text="nowhere") == []


def test_a_run_that_goes_on_is_shown_as_far_as_it_came(tmp_path: Path) -> None:
    run = answered_run(tmp_path, done=2)
    assert examples(run) == [("A", 1)]
    with pytest.raises(RunError, match=r"has not finished C yet"):
        lab.forgotten_examples(run, "A", after="C")


@pytest.mark.parametrize(("settings", "says"), [
    ({"task": "C"}, r"trained nothing after C.*before='untrained'"),
    ({"task": "A", "before": "B", "after": "A"}, r"\(after B\) does not come earlier.*\(after A\)"),
    ({"task": "D"}, r"has no task 'D'; its tasks are 0 to 2: A, B, C"),
    ({"before": "D"}, "has no task 'D'"),
])  # fmt: skip
def test_what_cannot_be_compared_is_one_sentence(
    run: Run, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(RunError, match=says):
        lab.forgotten_examples(run, **settings)


def test_a_change_of_another_name_is_refused(run: Run) -> None:
    with pytest.raises(SettingError, match=r"change.*lost, gained, all"):
        lab.forgotten_examples(run, change="worse")  # type: ignore[arg-type]


def test_a_run_without_predictions_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"keeps no predictions of the model after A.*repeat"):
        lab.forgotten_examples(made_run(tmp_path, "sft", ["A", "B"]))
