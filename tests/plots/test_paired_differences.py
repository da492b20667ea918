"""Paired differences show each seed, the mean and the interval that the maths gives."""

from pathlib import Path

import plotly.graph_objects as go
import pytest

from fggm_lab.plots import caption_of, describe, paired_differences
from fggm_lab.runs import Run
from fggm_lab.runs.paired import paired
from tests.support.records import run_of


def run_with(path: Path, method: str, seed: int, last: float, **more) -> Run:  # type: ignore[no-untyped-def]
    matrix = [[0.9, 0.1], [last, 0.7]]
    return run_of(path / f"{method}{seed}", matrix, method=method, seed=seed, **more)


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    lasts = {"random": (0.4, 0.5, 0.45), "sft": (0.2, 0.35, 0.2), "fggm": (0.6, 0.62, 0.7)}
    return [
        run_with(tmp_path, method, seed, last)
        for method, values in lasts.items()
        for seed, last in enumerate(values, start=1)
    ]


def part(figure: go.Figure, name: str, metric: str) -> list[go.Scatter]:
    meta = {"part": name, "metric": metric}
    return [trace for trace in figure.data if trace.meta == meta]


def test_every_seed_the_mean_and_the_interval_are_drawn(runs: list[Run]) -> None:
    figure = paired_differences(runs, "random")
    for row in paired(runs, "random"):
        names = [trace.name for trace in part(figure, "seeds", row["metric"])]
        if row["metric"] == "general_after":
            assert names == [], "what no run measured has no panel"
            continue
        index = names.index(row["method"])
        seeds, mean = (part(figure, kind, row["metric"])[index] for kind in ("seeds", "mean"))
        assert list(seeds.x) == row["differences"] and list(seeds.customdata) == row["seeds"]
        assert mean.x[0] == row["mean"]
        assert mean.x[0] + mean.error_x.array[0] == pytest.approx(row["high"])
        assert mean.x[0] - mean.error_x.array[0] == pytest.approx(row["low"])


def test_words_give_means_intervals_and_the_better_direction(runs: list[Run]) -> None:
    (row,) = [row for row in paired(runs, "random", ["op_final"]) if row["method"] == "fggm"]
    text = describe(paired_differences(runs, "random"))
    sentence = f"fggm {row['mean']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f}, 3 seeds)"
    assert "OP (higher is better): sft" in text and sentence in text


def test_one_seed_has_dots_and_no_interval(runs: list[Run]) -> None:
    single_seed_runs = [run for run in runs if run.config.training.seed == 1]
    figure = paired_differences(single_seed_runs, "random", ["op_final"])
    assert part(figure, "mean", "op_final") == []
    assert [t.x[0] for t in part(figure, "seeds", "op_final")] == pytest.approx([-0.1, 0.1])
    assert "no interval can be given" in caption_of(figure)
    assert "sft -0.100 (one seed)" in describe(
        paired_differences(single_seed_runs, "random", ["op_final"])
    )


def test_a_loss_has_an_axis_of_its_own_and_better_points_left(tmp_path: Path) -> None:
    runs = [run_with(tmp_path, m, 0, 0.5, general=[2.0, g], better="lower")
            for m, g in (("sft", 4.0), ("fggm", 2.5))]  # fmt: skip
    figure = paired_differences(runs, "sft")
    headings = [note.text for note in figure.layout.annotations]
    assert headings[0] == "<b>General after</b> (loss, nats per token) · ← better"
    assert headings[1] == "<b>OP</b> · better →"
    assert figure.layout.xaxis.matches is None and figure.layout.xaxis.range[0] < -1.5
    assert figure.layout.xaxis2.range[0] > -0.1
    assert figure.layout.xaxis3.matches == figure.layout.xaxis4.matches == "x2"


def test_zero_is_always_in_sight(runs: list[Run]) -> None:
    for axis in paired_differences(runs, "random").select_xaxes():
        assert axis.range[0] < 0 < axis.range[1]


def test_what_cannot_be_paired_is_said(tmp_path: Path, runs: list[Run]) -> None:
    other = run_with(tmp_path, "migu", 9, 0.5)
    begun = run_of(tmp_path / "b", [[0.9, 0.1], [None] * 2], method="lora", seed=1, finished=False)
    figure = paired_differences([*runs, other, begun], "random")
    text = caption_of(figure)
    assert "Nothing to pair (no common seed, or not finished): migu, lora." in text
    assert "Unfinished: lora (seed 1)." in text
    assert list(figure.layout.yaxis.ticktext) == ["sft", "fggm"]
    empty = paired_differences([runs[0], begun], "random")
    assert "nothing that can be paired is measured yet" in empty.layout.meta["description"]
