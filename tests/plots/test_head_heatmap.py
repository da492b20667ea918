"""Cells are a head's share of its projection's score, or of its units that may move."""

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.plots import caption_of, describe, head_heatmap


def test_a_cell_is_the_heads_share_of_the_panel() -> None:
    scores = {"query": {0: torch.tensor([[1.0, 2.0], [0.0, 1.0]]), 2: torch.full((2, 2), 2.0)},
              "key": {0: torch.tensor([[1.0, 1.0]]), 2: torch.tensor([[6.0, 0.0]])}}  # fmt: skip
    figure = head_heatmap(scores, "FOMC")  # type: ignore[arg-type]
    query, key = figure.data
    assert query.z.tolist() == [[0.25, 4 / 12], [1 / 12, 4 / 12]] and list(query.x) == ["0", "2"]
    assert key.z.tolist() == [[0.25, 0.75]]
    assert "2 query heads share one key and value head" in caption_of(figure)
    assert "were all heads alike, each would have 25 % of query, 50 % of key" in caption_of(figure)
    assert "most has 75 % (layer 2, head 0)" in describe(figure)
    assert figure.layout.meta["title"].endswith(": FOMC")


def test_of_a_mask_it_is_the_share_that_may_move() -> None:
    figure = head_heatmap({"value": {1: torch.tensor([[True, False], [True, True]])}})
    assert figure.data[0].z.tolist() == [[0.5], [1.0]]
    assert "moves least 50 % (layer 1, head 0)" in describe(figure)


def test_scores_of_zero_are_no_division() -> None:
    figure = head_heatmap({"query": {0: torch.zeros(2, 3)}})
    assert figure.data[0].z.tolist() == [[0.0], [0.0]]


def test_too_many_heads_are_refused() -> None:
    with pytest.raises(SettingError, match=r"5,120 heads .* choose layers"):
        head_heatmap({"query": {layer: torch.ones(64, 1) for layer in range(80)}})
