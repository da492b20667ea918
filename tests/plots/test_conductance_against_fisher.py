"""The figure of conductance beside Fisher holds its rows, however many, and says what is not."""

import re
from typing import Any

import pytest
import torch

from fggm_lab.attribution import beside_fisher
from fggm_lab.errors import SettingError
from fggm_lab.fisher.scores import FisherInfo, FisherScores
from fggm_lab.plots import caption_of, conductance_against_fisher, describe, description_of
from fggm_lab.plots.thinning import MAX_POINTS


def row(layer: int | None, module: str, correlation: float | None, units: int = 65) -> dict:
    name = f"{module}.weight" if layer is None else f"model.layers.{layer}.{module}.weight"
    return {
        "name": name, "layer": layer, "module": f"{module}.weight", "units": units,
        "correlation": correlation,
    }  # fmt: skip


ROWS = [
    row(0, "self_attn.q_proj", 0.5),
    row(0, "mlp.up_proj", -0.1),
    row(1, "self_attn.q_proj", 0.8),
    row(1, "mlp.up_proj", 0.3, units=17),
    row(None, "lm_head", None),
]


def dots(figure: Any) -> dict[str, list[tuple[float, float]]]:
    return {t.name: list(zip(t.x, t.y, strict=True)) for t in figure.data}


def test_a_dot_per_weight_at_its_layer_with_a_look_per_module() -> None:
    figure = conductance_against_fisher(ROWS)
    dots_of_module = dots(figure)
    assert {m: [y for _, y in positions] for m, positions in dots_of_module.items()} == {
        "q_proj": [0.5, 0.8], "up_proj": [-0.1, 0.3],
    }  # fmt: skip
    for positions in dots_of_module.values():
        assert [round(x) for x, _ in positions] == [0, 1]
    assert len({(t.marker.color, t.marker.symbol) for t in figure.data}) == 2
    assert len({t.marker.symbol for t in figure.data}) == 2  # not by colour alone
    assert not {x for x, _ in dots_of_module["q_proj"]} & {x for x, _ in dots_of_module["up_proj"]}
    assert [(s.y0, s.y1) for s in figure.layout.shapes] == [(0, 0)]
    assert list(figure.layout.xaxis.ticktext) == ["0", "1"]
    # by chance ρ over n units spreads by 1/√(n − 1)
    assert "ρ = 0.300 over 17 units<br>by chance 0 ± 0.250" in figure.data[1].customdata[1]


def test_the_words_name_the_ends_and_what_is_left_out() -> None:
    figure = conductance_against_fisher(ROWS)
    words = description_of(figure)
    assert words == describe(conductance_against_fisher(ROWS))
    assert "of 4 weights: median 0.40, from -0.10 (model.layers.0.mlp.up_proj.weight) to 0.80" in (
        words
    )
    assert "In 2 of them" in words  # 0.3 over 17 units is less than 2 · 0.25
    assert "1 more have none" in words
    assert "Left out: 1 of 5 weights" in caption_of(figure)
    assert "0 ± 0.25 or less (17 units or more)" in caption_of(figure)


def test_weights_outside_the_layers_come_last() -> None:
    figure = conductance_against_fisher([*ROWS[:4], row(None, "lm_head", -0.4)])
    assert list(figure.layout.xaxis.ticktext) == ["0", "1", "outside"]
    assert [(round(x), y) for x, y in dots(figure)["lm_head"]] == [(2, -0.4)]


def test_many_weights_become_medians_with_their_range_and_the_caption_says_so() -> None:
    experts = [
        row(layer, f"mlp.experts.{number}.{module}", ((7 * number) % 61) / 61 - 0.2)
        for layer in range(45) for number in range(61) for module in ("up_proj", "down_proj")
    ]  # fmt: skip
    assert len(experts) > MAX_POINTS
    figure = conductance_against_fisher([*experts, *ROWS[:4]])
    assert sum(len(t.x) for t in figure.data) <= 3 * 45
    trace = next(t for t in figure.data if t.name == "experts.*.down_proj")
    assert len(trace.x) == 45
    # 61 experts score k/61 − 0.2 for k from 0 to 60, each once
    assert trace.y[0] == pytest.approx(30 / 61 - 0.2)
    assert [trace.error_y.array[0], trace.error_y.arrayminus[0]] == pytest.approx([30 / 61] * 2)
    assert "median of a layer's weights" in caption_of(figure)
    assert "differ in a number alone" in caption_of(figure)
    assert "of 5494 weights" in re.sub(",", "", description_of(figure))
    figure = conductance_against_fisher(experts[:100])  # few enough to be shown one by one
    assert sum(len(t.x) for t in figure.data) == 100 and not figure.data[0].error_y.visible


def test_it_draws_what_beside_fisher_returns() -> None:
    units = {
        "model.layers.0.mlp.up_proj.weight": torch.tensor([1.0, 2.0, 3.0]),
        "model.layers.1.mlp.up_proj.weight": torch.tensor([1.0, 2.0, 3.0]),
    }
    flow = dict(zip(units, torch.tensor([[3.0, 2, 1], [5, 6, 7]]), strict=True))
    info = FisherInfo("empirical", "input", examples=4, tokens=9, model="0" * 16)
    rows = beside_fisher(FisherScores(units, dict.fromkeys(units, 0), None, info), flow)
    (trace,) = conductance_against_fisher(rows).data
    assert list(trace.y) == pytest.approx([-1, 1])


def test_nothing_to_draw_is_one_sentence() -> None:
    for rows in ([], ROWS[4:]):
        with pytest.raises(SettingError, match="give what beside_fisher returned"):
            conductance_against_fisher(rows)
