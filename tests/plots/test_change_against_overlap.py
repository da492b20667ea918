"""Overlap against the change of earlier tasks' scores, from runs worked out by hand."""

from pathlib import Path

import pytest
import torch

from fggm_lab.errors import RunError
from fggm_lab.masks import Mask, MaskInfo
from fggm_lab.plots import caption_of, change_against_overlap, describe
from fggm_lab.plots.change_against_overlap import overlap_correlation, task_pairs
from fggm_lab.runs import Run
from tests.support.records import run_of

MATRIX = [[0.9, 0.1, 0.1], [0.7, 0.8, 0.1], [0.6, 0.3, 0.9]]


def mask_of(first: int, last: int) -> Mask:
    """Units first to last − 1 of ten."""
    bits = torch.zeros(10, dtype=torch.bool)
    bits[first:last] = True
    return Mask({"w": bits}, {"w": 0}, MaskInfo((last - first) / 10, "layer", "top"))


def with_masks(run: Run, *masks: Mask) -> Run:
    for index, mask in enumerate(masks):
        mask.save(run.file("masks", index))
    return run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A and B share 1 unit of 5, A and C share 2 of 4, B and C 2 of 4."""
    unmasked = run_of(tmp_path / "fggm", MATRIX, method="fggm")
    return with_masks(unmasked, mask_of(0, 3), mask_of(2, 5), mask_of(1, 4))


def test_every_pair_has_its_overlap_and_the_change_in_that_step(run: Run) -> None:
    pairs = [(r.earlier, r.later, r.jaccard, round(r.change, 9)) for r in task_pairs(run)]
    assert pairs == [("A", "B", 0.2, -0.2), ("A", "C", 0.5, -0.1), ("B", "C", 0.5, -0.5)]
    # of 10 units two threes meet in 0, 1, 2, 3 units in 35, 63, 21, 1 of 120 cases
    chance = (63 * 1 / 5 + 21 * 2 / 4 + 1) / 120
    assert all(row.expected == pytest.approx(chance) for row in task_pairs(run))


def test_the_figure_shows_them(run: Run) -> None:
    figure = change_against_overlap(run)
    (points,) = [trace for trace in figure.data if trace.mode == "markers"]
    assert list(zip(points.x, points.y, strict=True)) == [
        (row.jaccard, row.change) for row in task_pairs(run)
    ]
    assert "A</b> while B was trained" in points.customdata[0]
    assert "With 3 pairs of a method, that is a question" in caption_of(figure)


def test_methods_have_their_own_points_and_seeds_are_pooled(tmp_path: Path, run: Run) -> None:
    runs = [run]
    for seed in (0, 1):
        other = run_of(tmp_path / f"random{seed}", MATRIX, method="random", seed=seed)
        runs.append(with_masks(other, mask_of(0, 3), mask_of(3, 6), mask_of(6, 9)))
    names = {trace.name: len(trace.x) for trace in change_against_overlap(runs).data}
    assert names == {"fggm": 3, "random": 6}


def test_one_runs_masks_held_against_what_others_forgot(tmp_path: Path, run: Run) -> None:
    worse = [[0.9, 0.1, 0.1], [0.5, 0.8, 0.1], [0.4, 0.0, 0.9]]
    plain = run_of(tmp_path / "sft", worse)
    rows = task_pairs([run, plain], run)
    assert [row.label for row in rows] == ["fggm"] * 3 + ["sft"] * 3
    assert [row.jaccard for row in rows[:3]] == [row.jaccard for row in rows[3:]]
    assert [round(row.change, 9) for row in rows[3:]] == [-0.4, -0.1, -0.8]
    figure = change_against_overlap([run, plain], run)
    assert "those of the masks of fggm, seed 0" in caption_of(figure)
    assert figure.layout.xaxis.title.text.endswith("under fggm")
    assert "sft, 3 pairs" in describe(change_against_overlap([run, plain], run))


def test_runs_over_other_tasks_are_refused(tmp_path: Path, run: Run) -> None:
    other = run_of(tmp_path / "two", [[0.9, 0.1], [0.5, 0.8]], method="fggm")
    with pytest.raises(RunError, match="cannot be compared"):
        task_pairs(run, other)


def test_the_words_name_the_worst_pair_and_the_correlation(run: Run) -> None:
    words = describe(change_against_overlap(run))
    assert "fggm, 3 pairs of tasks: Jaccard index 0.20 to 0.50" in words
    assert "B lost most, while C was trained." in words
    # ranks 1, 2.5, 2.5 against 2, 3, 1
    assert "rank correlation +0.00" in words


def test_a_correlation_needs_three_pairs_that_differ(run: Run) -> None:
    rows = task_pairs(run)
    assert overlap_correlation(rows[:2]) is None
    assert overlap_correlation([row._replace(change=0.0) for row in rows]) is None
    falling = [row._replace(jaccard=i / 4, change=-float(i)) for i, row in enumerate(rows)]
    assert overlap_correlation(falling) == pytest.approx(-1)


def test_a_run_without_masks_or_with_one_finished_task_has_no_pairs(tmp_path: Path) -> None:
    plain = run_of(tmp_path / "sft", MATRIX)
    with pytest.raises(RunError, match="fggm and random keep them"):
        change_against_overlap(plain)
    half = [MATRIX[0], [None] * 3, [None] * 3]
    short = run_of(tmp_path / "short", half, method="fggm", finished=False)  # type: ignore[arg-type]
    with_masks(short, mask_of(0, 3), mask_of(2, 5))
    with pytest.raises(RunError, match="two finished tasks"):
        task_pairs(short)
