"""Attention maps show the weights they are given, of all heads or of one, before and after."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fggm_lab.errors import DataError, SettingError
from fggm_lab.models import AttentionPatterns
from fggm_lab.plots import attention_maps, describe

WEIGHTS = torch.tensor([
    [[[1.0, 0.0], [0.25, 0.75]], [[1.0, 0.0], [0.5, 0.5]]],
    [[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]],
])  # fmt: skip
PATTERNS = AttentionPatterns(("<s>", "\n"), WEIGHTS, (0, 3))
AFTER = replace(PATTERNS, weights=WEIGHTS.flip(1))


def test_a_row_is_what_the_last_token_attends_to() -> None:
    figure = attention_maps(PATTERNS, AFTER)
    before, after = figure.data
    assert before.z.tolist() == [[0.25, 0.75], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
    assert after.z.tolist() == [[0.5, 0.5], [0.25, 0.75], [0.0, 1.0], [1.0, 0.0]]
    assert list(figure.layout.yaxis.ticktext) == ["0 · 0", "0 · 1", "3 · 0", "3 · 1"]
    assert list(figure.layout.xaxis.ticktext) == ["&lt;s&gt;", "⏎"]
    assert "Most changed head 3 · 0: 1.00 of its attention moved." in describe(figure)
    one_layer = attention_maps(PATTERNS, layer=3)
    assert one_layer.data[0].z.tolist() == [[1.0, 0.0], [0.0, 1.0]] and len(one_layer.data) == 1


def test_of_one_head_every_token_has_a_row_and_sees_no_later_one() -> None:
    (trace,) = attention_maps(PATTERNS, layer=0, head=1).data
    np.testing.assert_array_equal(trace.z, [[1.0, np.nan], [0.5, 0.5]])


def test_what_cannot_be_drawn_is_one_sentence() -> None:
    with pytest.raises(SettingError, match="no attention in layer 1, but in 0, 3"):
        attention_maps(PATTERNS, layer=1)
    for choice in ({"head": 0}, {"layer": 0, "head": 2}):
        with pytest.raises(SettingError, match=r"name its layer, too, .* heads 0 to 1"):
            attention_maps(PATTERNS, **choice)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="different texts or models"):
        attention_maps(PATTERNS, replace(PATTERNS, tokens=("a", "b")))
    long = AttentionPatterns(("a",) * 80, torch.ones(1, 1, 80, 80), (0,))
    with pytest.raises(SettingError, match=r"6,400 attention weights .* shorten the text"):
        attention_maps(long, layer=0, head=0)
