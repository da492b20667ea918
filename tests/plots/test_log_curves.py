"""Curves of the log hold its numbers; smoothing is TensorBoard's; a log axis leaves out zeros."""

from pathlib import Path

import numpy as np
import pytest

from fggm_lab.errors import SettingError
from fggm_lab.files import with_digest
from fggm_lab.plots import caption_of, describe, log_curves, smoothed
from fggm_lab.plots.svg import svg
from fggm_lab.plots.thinning import MAX_POINTS
from fggm_lab.runs import Run, log_scalars
from tests.support.records import made_config, made_run

WEIGHTS = (0.0, 0.6, 0.99)


@pytest.mark.parametrize("weight", WEIGHTS)
def test_smoothing_is_the_weighted_mean_of_the_past(weight: float) -> None:
    """Against the closed form: value k − i has the weight wⁱ, and the weights add up to 1."""
    values = np.random.default_rng(0).normal(3, 1, 50)
    for k, smooth in enumerate(smoothed(values.tolist(), weight)):
        weights = weight ** np.arange(k + 1.0)
        assert smooth == pytest.approx((weights * values[k::-1]).sum() / weights.sum())
    gap = smoothed([1.0, float("nan"), 1.0], weight)
    assert gap == pytest.approx([1.0, float("nan"), 1.0], nan_ok=True)
    assert smoothed([2.5] * 4, weight) == pytest.approx([2.5] * 4)
    with pytest.raises(SettingError, match="smoothing is 1; it must be at least 0"):
        smoothed([1.0], 1)


@pytest.mark.parametrize("scalar", ["loss", "lr", "norm", "general", "general/copy", "A/nll"])
def test_a_line_holds_the_scalar_of_each_run(tmp_path: Path, scalar: str) -> None:
    runs = [made_run(tmp_path, method, ["A", "B"]) for method in ("sft", "fggm")]
    figure = log_curves(runs, scalar)
    for trace, run in zip(figure.data, runs, strict=True):
        assert list(zip(trace.x, trace.y, strict=True)) == log_scalars(run)[scalar]
    assert [shape.x0 for shape in figure.layout.shapes] == [40, 80]
    assert f"{scalar} of sft: " in describe(figure)


def test_the_curve_as_it_is_stays_behind_the_smoothed_one(tmp_path: Path) -> None:
    run = made_run(tmp_path, "sft", ["A"])
    raw, smooth = log_curves(run, smoothing=0.8).data
    losses = [y for _, y in log_scalars(run)["loss"]]
    assert list(raw.y) == losses and raw.opacity == 0.3 and raw.showlegend is False
    assert list(smooth.y) == smoothed(losses, 0.8)
    assert "weight 0.8 with bias correction, as TensorBoard does" in caption_of(
        log_curves(run, smoothing=0.8)
    )


def test_a_log_axis_leaves_out_what_is_not_above_0_and_says_how_many(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", made_config("sft"))
    for step, loss in enumerate((0.9, 0.0, 0.3), start=1):
        run.append({"kind": "step", "task": 0, "task_step": step, "step": step, "loss": loss,
                    "lr": 0.0, "norm": 1.0})  # fmt: skip
    figure = log_curves(run, log=True)
    assert figure.layout.yaxis.type == "log" and list(figure.data[0].y) == [0.9, 0.3]
    assert "1 value not above 0 is left out" in caption_of(figure)
    assert ">0.5<" in svg(figure)  # ticks within one power of ten
    with pytest.raises(SettingError, match="'lr' has no value above 0 for a log axis"):
        log_curves(run, "lr", log=True)


def test_long_logs_are_thinned(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", made_config("sft"))
    lines = "".join(
        with_digest(
            f'{{"kind": "step", "task": 0, "task_step": {k}, "step": {k}, "loss": {1 + k % 7}, '
            '"lr": 1, "norm": 1}'
        )
        + "\n"
        for k in range(1, 20_001)
    )
    (run.path / "events.jsonl").write_text(lines)
    figure = log_curves(run, smoothing=0.5)
    assert sum(len(trace.x) for trace in figure.data) <= MAX_POINTS
    assert "20,000 values" in describe(figure)
