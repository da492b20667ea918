"""Every cell is the total, or the median, of the units of one module in one layer."""

import math

import pytest
import torch

from fggm_lab.plots import caption_of, describe, figure_rows, score_heatmap
from fggm_lab.plots.score_heatmap import grid_of
from tests.support.records import made_scores


def test_cells_hold_total_and_median_of_their_units() -> None:
    scores = made_scores()
    rows = {(r["trace"], r["x"], r["y"]): r["z"] for r in figure_rows(score_heatmap(scores))}
    for name, column, row in [
        ("model.layers.2.mlp.gate_proj.weight", "2", "gate_proj"),
        ("model.layers.0.self_attn.v_proj.bias", "0", "v_proj.bias"),
        ("model.norm.weight", "outside", "norm"),
    ]:
        values = sorted(scores.units[name].double().tolist())
        middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
        assert 10 ** rows["total score", column, row] == pytest.approx(math.fsum(values))
        assert 10 ** rows["median unit's score", column, row] == pytest.approx(middle)
    assert rows["total score", "1", "norm"] is None


def test_all_units_and_all_scores_are_in_the_grid() -> None:
    scores = made_scores()
    grid = grid_of(scores)
    assert grid.units.sum() == scores.unit_count
    assert grid.total[grid.units > 0].sum() == pytest.approx(scores.total)


def test_a_deep_model_shares_columns() -> None:
    grid = grid_of(made_scores(layers=400))
    assert grid.units.size * 2 <= 5000 and grid.layers[0] == "0–1"
    assert grid.total[grid.units > 0].sum() == pytest.approx(made_scores(layers=400).total)
    assert "share a row" in caption_of(score_heatmap(made_scores(layers=400)))


def test_parameters_of_one_module_in_one_cell_are_taken_together() -> None:
    scores = made_scores(layers=400)
    grid = grid_of(scores)
    row = grid.modules.index("q_proj")
    two_layers = [scores.units[f"model.layers.{n}.self_attn.q_proj.weight"] for n in (0, 1)]
    assert grid.units[row, 0] == 256
    assert grid.median[row, 0] == pytest.approx(float(torch.cat(two_layers).double().quantile(0.5)))


def test_words_name_where_most_is() -> None:
    scores = made_scores()
    for name, units in scores.units.items():
        units.fill_(9.0 if name == "model.layers.3.mlp.down_proj.weight" else 1.0)
    text = describe(score_heatmap(scores))
    total = 4576 + 8 * 128
    assert f"Total score {total:.2e} over 4,576 units" in text
    assert f"gate_proj {100 * 4 * 384 / total:.1f} %" in text
    assert "The place that holds most: layer 3" in text
    assert "9.0e+00, is down_proj's in layer 3" in text


def test_zeros_are_blank_and_counted() -> None:
    scores = made_scores()
    scores.units["model.norm.weight"].zero_()
    scores.units["model.embed_tokens.weight"][40:] = 0  # more than half
    assert "a score of 0 (1 total, 2 medians)" in caption_of(score_heatmap(scores))
    for units in scores.units.values():
        units.zero_()
    assert "all 4,576 units score 0" in describe(score_heatmap(scores))
    assert score_heatmap(scores).data
