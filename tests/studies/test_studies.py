"""The studies: their plans, the rule of the tuning, and the rows that are kept of runs."""

import math
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from fggm_lab.cli import app
from fggm_lab.methods import METHODS, make_method
from studies import __main__ as command_line
from studies import catalog, rows, training
from studies.chosen import (
    ON_CODE,
    ON_CODE_MORE,
    ON_TRACE,
    ON_TRACE_MORE,
    RATES,
    TRACE_TUNINGS,
    Chosen,
    at_chosen,
    chosen,
)
from studies.planned import Plan, PlannedRun
from studies.protocol import MORE, PRIORITY, SEEDS, TUNING_SEEDS
from studies.tuning import bracket
from tests.support.records import made_run
from tests.support.study_rows import Memory, made_row, peak_at, trained

# The rule


@pytest.mark.parametrize("best", [6e-5, 2.5e-4, 5e-4, 1e-3, 4e-3])
def test_a_grid_grows_until_it_brackets_the_best_value(best: float) -> None:
    grid = bracket((2.5e-4, 5e-4, 1e-3), 2, lambda rate: -abs(math.log2(rate / best)))
    assert grid.bracketed and grid.best is not None
    assert grid.values[0] < grid.best < grid.values[-1]
    assert grid.best == pytest.approx(best, rel=0.5)
    assert all(
        b / a == pytest.approx(2) for a, b in zip(grid.values, grid.values[1:], strict=False)
    )


def test_a_grid_waits_for_gains_and_gives_up_in_the_end() -> None:
    assert bracket((1, 2, 4), 2, lambda value: {1.0: 0.5, 2.0: 0.4}.get(value)).best is None
    falling = bracket((1, 2, 4), 2, lambda value: -value, most=5)
    assert falling.values == (0.25, 0.5, 1, 2, 4) and not falling.bracketed
    assert falling.best == 0.25


# Plans


def test_tuning_tries_rates_then_strengths_around_the_best(memory: Memory) -> None:
    def gain(run: PlannedRun) -> float:
        strength = run.own_settings().get("strength", 0.01)
        return peak_at(1.25e-4, run) - 0.01 * abs(math.log10(strength / 0.1))

    assert {run.lr for run in ON_TRACE.plan(["sft"]).runs} == set(RATES)
    runs = trained(memory, ON_TRACE, ["sft", "l2"], gain)
    assert {run.lr for run in runs} == {6.25e-5, 1.25e-4, *RATES}
    assert {run.seed for run in runs} == set(TUNING_SEEDS)
    assert all("eval" in run.options for run in runs)
    assert ON_TRACE.plan(["sft", "l2"]).waiting == {}
    tried = {run.own_settings()["strength"] for run in runs if run.settings}
    assert tried == {0.001, 0.1, 1.0}  # and 0.01, the default, at every rate
    choice = chosen("l2", TRACE_TUNINGS)
    assert choice == Chosen(1.25e-4, ("l2.strength=0.1",))
    assert chosen("sft", TRACE_TUNINGS) == Chosen(1.25e-4)


def test_a_strength_is_tried_at_the_next_higher_rate_too_and_may_win_there(
    memory: Memory,
) -> None:
    def gain(run: PlannedRun) -> float:
        decades = math.log10(run.own_settings().get("strength", 0.01) / 0.1)
        return peak_at(5e-4, run) + 0.2 * (run.lr == 1e-3) * (1 - abs(decades))

    runs = trained(memory, ON_TRACE, ["l2"], gain)
    assert {run.lr for run in runs if run.settings} == {5e-4, 1e-3}
    best = chosen("l2", TRACE_TUNINGS)
    assert best == Chosen(1e-3, ("l2.strength=0.1",))


def test_the_rivals_of_self_kl_run_at_twice_their_rate_too(memory: Memory) -> None:
    def gain(run: PlannedRun) -> float:
        strength = run.own_settings().get("strength", 0.01)
        best = 0.01 if run.lr == 5e-4 else 0.1
        return peak_at(5e-4, run) - 0.01 * abs(math.log10(strength / best))

    trained(memory, ON_TRACE, ["sft", "self-kl", "l2", "fggm"], gain)
    assert chosen("l2", TRACE_TUNINGS) == Chosen(5e-4)
    runs = catalog.plan("trace-1-twice").runs
    assert {(run.method, run.lr) for run in runs} == {
        ("sft", 1e-3), ("l2", 1e-3), ("fggm", 1e-3)
    }  # fmt: skip
    assert {run.own_settings()["strength"] for run in runs if run.method == "l2"} == {0.1}
    assert all(run.own_settings().get("first_task", True) for run in runs)


def test_a_run_that_fails_counts_as_the_worst(memory: Memory) -> None:
    failures: dict[str, str] = {}
    memory["tuning"] = rows.StudyRows([], failures)
    for run in ON_TRACE.plan(["sft"]).runs:
        if run.lr == 1e-3:
            failures[run.command("tuning")] = "the loss is no number"
        else:
            memory["tuning"].rows.append(made_row("tuning", run, peak_at(5e-4, run)))
    assert chosen("sft", TRACE_TUNINGS) == Chosen(5e-4)


def test_what_follows_a_tuning_waits_and_shows_masks_with_the_first_task_masked_and_free(
    memory: Memory,
) -> None:
    waiting = catalog.plan("trace-1")
    assert {run.method for run in waiting.runs} == {"untrained"} and "fggm" in waiting.waiting
    trained(memory, ON_TRACE, ["fggm"], lambda run: peak_at(5e-4, run))
    runs = [run for run in catalog.plan("trace-1").runs if run.method == "fggm"]
    variants = [(run.seed, run.own_settings()["first_task"]) for run in runs]
    assert sorted(variants) == [(seed, masked) for seed in SEEDS for masked in (0, 1)]
    assert {run.lr for run in runs} == {5e-4}


def test_a_combination_has_the_settings_of_its_parts(memory: Memory) -> None:
    trained(memory, ON_TRACE, ["fggm"], lambda run: peak_at(1e-3, run))
    trained(
        memory, ON_TRACE, ["replay"],
        lambda run: peak_at(5e-4, run) + (run.own_settings().get("ratio") == 0.5),
    )  # fmt: skip
    best = chosen("replay+fggm", TRACE_TUNINGS)
    assert best == Chosen(1e-3, ("replay+fggm.replay.ratio=0.5",))
    (run, *_) = at_chosen(["replay+fggm"], TRACE_TUNINGS, (), [1]).runs
    assert "replay+fggm.fggm.first_task=true" in run.settings


def test_every_study_asks_for_what_the_command_line_knows_and_no_run_twice(memory: Memory) -> None:
    tunings = {
        ON_TRACE: PRIORITY, ON_TRACE_MORE: MORE,
        ON_CODE: PRIORITY, ON_CODE_MORE: MORE,
    }  # fmt: skip
    for tuning, methods in tunings.items():
        trained(memory, tuning, methods, lambda run: peak_at(3.5e-4, run))
    parse = get_command(app).commands["run"].make_context  # type: ignore[attr-defined]
    for study in catalog.STUDIES:
        plan = catalog.plan(study)
        assert not plan.waiting, study
        assert len({run.command(study) for run in plan.runs}) == len(set(plan.runs))
        assert len({(run.folder(study), run.method) for run in plan.runs}) == len(plan.runs)
        assert [run.seed for run in plan.runs] == sorted(run.seed for run in plan.runs)
        for run in {(run.method, run.options, run.settings): run for run in plan.runs}.values():
            make_method(run.method, **run.own_settings())
        for run in {run.options: run for run in plan.runs}.values():
            parse("run", run.arguments(study)[1:])


def test_levels_are_those_of_plain_fine_tuning_at_its_rate(memory: Memory) -> None:
    assert catalog.until_levels() is None and "fggm" in catalog.plan("until").waiting
    trained(memory, ON_TRACE, ["sft"], lambda run: peak_at(5e-4, run))
    for row in memory["tuning"].rows:
        row["losses_learned"] = {"FOMC": 1000 * row["lr"] + 0.1 * row["seed"]}
    assert catalog.until_levels() == pytest.approx({"FOMC": 1.1 * 0.65})
    runs = catalog.plan("until").runs
    assert {run.method for run in runs} == {"sft"}
    assert all("FOMC=0.715" in run.options for run in runs)


def test_every_method_is_in_a_study() -> None:
    assert set(METHODS) <= {*PRIORITY, *MORE, "untrained"}


def test_rows_of_before_commands_answer_for_the_same_runs_today() -> None:
    for study in ("keep", "ablations", "examples", "samples", "stories"):
        state = training.piece(study)
        assert state.rows > 0 and state.unplanned == 0


# Rows


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of rows."""
    monkeypatch.setattr(rows, "ROWS_FOLDER", tmp_path / "rows")
    return tmp_path / "rows"


def test_a_row_carries_what_made_it_and_replaces_a_failure(folder: Path, tmp_path: Path) -> None:
    planned = PlannedRun("sft", 0, 1e-3, ("--points", "0"))
    run = made_run(tmp_path / "runs", "sft")
    rows.store_failure("a", planned, "no memory")
    assert rows.study_rows("a").failures == {planned.command("a"): "no memory"}
    rows.store_row("a", planned, rows.row_of(run, planned.command("a")))
    study = rows.study_rows("a")
    assert study.failures == {}
    row = study.of("a", planned)
    assert row is not None and row["versions"] == run.config.versions
    assert row["op_final"] == pytest.approx(run.metrics()["op_final"], rel=1e-4)
    assert run.scores is not None
    assert row["general_after"] == pytest.approx(run.scores.general["after"], rel=1e-4)
    assert row["seconds"] == pytest.approx(run.seconds, rel=1e-4)
    assert rows.study_rows("never run").rows == []
    assert rows.keep_only("a", ()) == 1 and rows.study_rows("a").rows == []


def test_a_piece_counts_rows_failures_and_the_time_to_go(memory: Memory) -> None:
    runs = tuple(PlannedRun("sft", seed, 1e-3, ()) for seed in (1, 2, 3, 4))
    memory["a"] = rows.StudyRows(
        [made_row("a", runs[0], 0.9), made_row("a", PlannedRun("sft", 9, 1e-3, ()), 0.9)],
        {runs[1].command("a"): "no memory"},
    )
    state = training.piece("a", Plan(runs))
    assert (state.planned, state.rows, state.unplanned) == (4, 1, 1)
    assert state.failures == {runs[1]: "no memory"} and state.missing == list(runs[2:])
    assert state.seconds == 60 and state.seconds_to_go == 120


def test_training_goes_on_after_a_run_that_fails_and_does_not_repeat_rows(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tuple(PlannedRun("sft", seed, 1e-3, ()) for seed in (1, 2, 3))
    trained_seeds: list[int] = []

    def run(study: str, planned: PlannedRun, _: object) -> str:
        trained_seeds.append(planned.seed)
        if planned.seed == 2:
            rows.store_failure(study, planned, "no memory")
        else:
            rows.store_row(study, planned, made_row(study, planned, 0.9))
        return f"seed {planned.seed}"

    monkeypatch.setattr(training, "_run", run)
    monkeypatch.setitem(catalog.STUDIES, "a", lambda: Plan(runs))
    for _ in range(2):
        training.train(["a"], jobs=2)
    assert sorted(trained_seeds) == [1, 2, 2, 3]
    assert "a 2/3" in capsys.readouterr().out


def test_an_unknown_study_is_named() -> None:
    done = CliRunner().invoke(command_line.app, ["plan", "nothing"])
    assert done.exit_code == 2 and "there are" in done.output
