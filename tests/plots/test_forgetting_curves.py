"""Forgetting curves show the numbers of the records, at the steps they were measured."""

from pathlib import Path

import plotly.graph_objects as go
import pytest

from fggm_lab.errors import RunError
from fggm_lab.plots import caption_of, describe, description_of, forgetting_curves
from fggm_lab.runs import Run
from tests.support.records import STEPS, TASKS, made_run


def measured(run: Run, task: str) -> dict[int, float]:
    """Step → score, the end of a task's own measurement counting where two fall together."""
    return {
        event["step"]: event["tasks"][task]["score"]
        for event in run.events("evaluation")
        if task in event["tasks"]
    }


def drawn(figure: go.Figure, name: str, axis: str) -> dict[int, float]:
    """Step → score of all traces of a name in one panel."""
    return {
        x: y
        for trace in figure.data
        if trace.name == name and trace.xaxis == axis
        for x, y in zip(trace.x, trace.y, strict=True)
    }


def test_every_measurement_is_drawn_and_nothing_else(four_runs: list[Run]) -> None:
    figure = forgetting_curves(four_runs)
    for run, axis in zip(four_runs, ("x", "x2", "x3", "x4"), strict=True):
        for task in TASKS:
            assert drawn(figure, task, axis) == measured(run, task)


def test_general_is_a_line_of_its_own_in_every_panel(four_runs: list[Run]) -> None:
    figure = forgetting_curves(four_runs)
    events = four_runs[2].events("evaluation")
    general = {e["step"]: e["general"]["score"] for e in events if e["general"]}
    assert drawn(figure, "General", "x3") == general and len(general) == len(events)


def test_one_task_gets_a_line_per_method(four_runs: list[Run]) -> None:
    figure = forgetting_curves(four_runs, "FOMC")
    for run in four_runs:
        assert drawn(figure, run.config.method, "x") == measured(run, "FOMC")
    lines = {t.name: (t.line.color, t.marker.symbol) for t in figure.data if t.name}
    assert len(set(lines.values())) == 4


def test_whole_splits_have_bigger_markers_than_samples(four_runs: list[Run]) -> None:
    figure = forgetting_curves(four_runs[0])
    trace = next(t for t in figure.data if t.name == "FOMC" and t.showlegend)
    kinds = [row[3] for row in trace.customdata]
    sizes = {kind: {s for s, k in zip(trace.marker.size, kinds, strict=True) if k == kind}
             for kind in ("whole split", "sample")}  # fmt: skip
    assert min(sizes["whole split"]) > max(sizes["sample"])


def test_hover_says_exact_match_likelihood_and_examples(four_runs: list[Run]) -> None:
    figure = forgetting_curves(four_runs[0])
    trace = next(t for t in figure.data if t.name == "C-STANCE" and t.showlegend)
    last = four_runs[0].events("evaluation")[-1]["tasks"]["C-STANCE"]
    assert list(trace.customdata[-1]) == [
        f"{last['exact']:.3f}", f"{last['nll']:.3f}", "100", "whole split",
    ]  # fmt: skip


def test_boundaries_stand_at_the_ends_of_tasks_and_carry_their_names(four_runs: list[Run]) -> None:
    figure = forgetting_curves(four_runs)
    lines = [s.x0 for s in figure.layout.shapes if s.type == "line" and s.xref == "x"]
    assert lines == [STEPS * (i + 1) for i in range(len(TASKS))]
    assert any(list(axis.ticktext or ()) == TASKS for axis in figure.select_xaxes())


def test_scores_share_the_axis_from_0_to_1(four_runs: list[Run]) -> None:
    figure = forgetting_curves(four_runs)
    ranges = {tuple(axis.range) for axis in figure.select_yaxes()}
    assert len(ranges) == 1
    low, high = ranges.pop()
    assert low <= 0 and high >= 1


def test_a_run_still_being_written_shows_what_it_has_and_what_is_to_come(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=2)
    figure = forgetting_curves(run)
    assert drawn(figure, "MeetingBank", "x") == measured(run, "MeetingBank")
    assert "unfinished" in caption_of(figure)
    assert figure.layout.xaxis.range[1] > STEPS * len(TASKS)


def test_a_run_that_has_only_begun_can_be_drawn(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", done=0)
    (run.path / "events.jsonl").unlink()
    (run.path / "scores.json").unlink()
    assert "nothing measured yet" in description_of(forgetting_curves(run))


def test_one_task_and_no_general(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", ["Only"], general=None)
    figure = forgetting_curves(run)
    assert "General was not measured" in caption_of(figure)
    assert drawn(figure, "Only", "x") == measured(run, "Only")


def test_general_as_a_loss_has_an_axis_that_says_so(tmp_path: Path) -> None:
    runs = [made_run(tmp_path, method, general="lower") for method in ("sft", "fggm")]
    figure = forgetting_curves(runs)
    titles = [axis.title.text for axis in figure.select_yaxes()]
    assert titles == ["score (0–1)", "score (0–1)", "loss<br>(nats per token)"]
    assert max(drawn(figure, "General: sft", "x3").values()) > 1
    assert "lower is better" in caption_of(figure)


def test_runs_of_one_method_and_two_seeds_are_told_apart(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / str(seed), "fggm", seed=seed) for seed in (1, 2)]
    text = describe(forgetting_curves(runs))
    assert "fggm (seed 1)" in text and "fggm (seed 2)" in text


def test_the_words_give_the_score_when_learned_and_at_the_end(four_runs: list[Run]) -> None:
    matrix = four_runs[0].scores.matrix  # type: ignore[union-attr]
    text = describe(forgetting_curves(four_runs[:1], "FOMC"))
    assert f"FOMC {matrix[1][1]:.2f} when learned, {matrix[7][1]:.2f} after" in text


def test_no_runs_and_unknown_tasks_are_refused_in_a_sentence(four_runs: list[Run]) -> None:
    with pytest.raises(RunError, match="no run"):
        forgetting_curves([])
    with pytest.raises(RunError, match="no run has a task named 'FOMCE'; there are: C-STANCE"):
        forgetting_curves(four_runs, "FOMCE")
