"""A mask map shows, at every level and in both orders, what the masks hold."""

from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, MaskInfo
from fggm_lab.plots import caption_of, describe, description_of, figure_rows, mask_map
from fggm_lab.plots.mask_overlap import OUTSIDE_LAYERS
from fggm_lab.plots.mask_strips import STRIP_ORDERS, Order
from tests.support.records import TASKS, made_masks, made_scores

QUERY = "model.layers.1.self_attn.q_proj.weight"


def mask_of(**units: list[int]) -> Mask:
    bits = {
        name.replace("_", "."): torch.tensor(kept_units, dtype=torch.bool)
        for name, kept_units in units.items()
    }
    return Mask(bits, dict.fromkeys(bits, 0), MaskInfo(0.5, "layer", "top"))


def cells(figure: go.Figure) -> dict[str, list[float]]:
    """Strip → its cells, from left to right."""
    strips: dict[str, list[float]] = {}
    for row in figure_rows(figure):
        strips.setdefault(row["y"], []).append(row["z"])
    return strips


def test_one_parameter_is_drawn_unit_by_unit() -> None:
    masks = made_masks(TASKS[:3])
    strips = cells(mask_map(masks, parameter=QUERY, order="position"))
    for task, mask in masks.items():
        assert strips[task] == mask.units[QUERY].double().tolist()


def test_a_colour_bar_stands_where_cells_hold_several_units_and_is_no_longer_than_the_map() -> None:
    masks = made_masks(TASKS[:3])
    assert mask_map(masks, parameter=QUERY).data[0].showscale is False
    large_masks = {"a": mask_of(w=[1, 0] * 20_000), "b": mask_of(w=[0, 1] * 20_000)}
    for shown in (large_masks, masks):
        figure = mask_map(shown)
        margin = figure.layout.margin
        (heatmap,) = figure.data
        assert heatmap.showscale is True
        assert heatmap.colorbar.len <= figure.layout.height - margin.t - margin.b


def test_sorted_units_stand_by_how_many_tasks_keep_them() -> None:
    masks = made_masks(TASKS[:4])
    drawn_units = np.array(list(cells(mask_map(masks, parameter=QUERY)).values()))
    truth = np.stack([mask.units[QUERY].numpy() for mask in masks.values()])
    assert (np.diff(drawn_units.sum(0)) <= 0).all()
    assert sorted(map(tuple, drawn_units.T)) == sorted(
        map(tuple, truth.T)
    )  # the same units, rearranged


def test_sorting_puts_units_of_the_same_tasks_together() -> None:
    masks = {
        "a": mask_of(layers_0_w=[0, 1, 1, 0, 0, 1]),
        "b": mask_of(layers_0_w=[1, 0, 1, 0, 1, 0]),
    }
    strips = cells(mask_map(masks, parameter="layers.0.w"))
    assert strips == {"a": [1, 1, 1, 0, 0, 0], "b": [1, 0, 0, 1, 1, 0]}
    texts = [cell[2] for cell in mask_map(masks, parameter="layers.0.w").data[0].customdata[0]]
    assert texts == [
        "w 2, kept by 2 tasks",
        *(f"w {n}, kept by 1 task" for n in (1, 5, 0, 4)),
        "w 3, kept by 0 tasks",
    ]


@pytest.mark.parametrize("order", ["shared", "position"])
@pytest.mark.parametrize(
    "level", [{}, {"layer": 2}, {"layer": OUTSIDE_LAYERS}, {"parameter": QUERY}]
)
def test_cells_count_every_unit_once(level: dict[str, Any], order: Order) -> None:
    masks = made_masks()
    figure = mask_map(masks, **level, order=order)
    labels = list(figure.data[0].y)
    counts = np.array(figure.data[0].customdata[..., :2], dtype=int)
    np.testing.assert_allclose(figure.data[0].z, counts[..., 0] / counts[..., 1])
    for index, label in enumerate(labels):
        group, _, task = label.rpartition(" · ")
        names = members(masks[task], level, group)
        units = sum(masks[task].units[n].numel() for n in names)
        if units >= counts.shape[1]:
            assert counts[index, :, 1].sum() == units
            assert counts[index, :, 0].sum() == sum(int(masks[task].units[n].sum()) for n in names)
        else:  # a unit wide enough for several cells
            assert set(counts[index, :, 1]) == {1}
    assert len(labels) == len(set(labels))


def members(mask: Mask, level: dict[str, object], group: str) -> list[str]:
    """The parameters of a strip."""
    if "parameter" in level:
        return [QUERY]
    if not level:
        inside = f".layers.{group.split()[-1]}."
        return [
            n for n in mask.names if inside in n or (group.startswith("out") and "layers" not in n)
        ]
    ending = group if group.endswith(".bias") else f"{group}.weight"
    prefix = "model." if level["layer"] == OUTSIDE_LAYERS else "model.layers.2."
    return [n for n in mask.names if n.startswith(prefix) and n.endswith(f".{ending}")
            and ("layers" in n) == ("layers" in prefix)]  # fmt: skip


def test_cells_in_the_models_order_hold_neighbours() -> None:
    bits = (np.random.default_rng(1).random(7003) < 0.3).astype(int)
    strips = cells(mask_map({"a": mask_of(layers_0_w=bits.tolist())}, order="position"))
    (strip,) = strips.values()
    ends = [i * 7003 // len(strip) for i in range(len(strip) + 1)]
    assert strip == [bits[a:b].mean() for a, b in pairwise(ends)]


def test_the_switch_holds_what_drawing_the_other_order_gives() -> None:
    masks = made_masks(TASKS[:2])
    figure = mask_map(masks, 1)
    for button, order in zip(figure.layout.updatemenus[0].buttons, STRIP_ORDERS, strict=True):
        change, layout = button.args
        other = mask_map(masks, 1, order=order)
        assert np.array_equal(change["z"][0], other.data[0].z)
        assert np.array_equal(np.array(change["customdata"][0], object), other.data[0].customdata)
        assert layout["xaxis.title.text"] == other.layout.xaxis.title.text


def test_deep_models_and_many_tasks_stay_within_the_points_a_browser_likes() -> None:
    mask = Mask.top(made_scores(layers=90), 0.3)
    masks = {f"task {n}": mask for n in range(8)}
    figure = mask_map(masks)
    assert figure.data[0].z.size <= 5000 and figure.data[0].z.shape[1] >= 16
    assert "Neighbouring layers share a strip" in caption_of(figure)
    assert (figure.data[0].customdata[0, :, 0] <= figure.data[0].customdata[0, :, 1]).all()
    assert mask_map({f"task {n}": mask for n in range(60)}, controls=False).data[0].z.size <= 5000


def test_words_count_what_all_and_no_tasks_keep() -> None:
    masks = made_masks(TASKS[:3])
    together = torch.stack([torch.cat(list(m.units.values())) for m in masks.values()]).sum(0)
    text = describe(mask_map(masks))
    assert f"All 3 tasks keep {int((together == 3).sum()):,} (" in text
    assert f"no task keeps {int((together == 0).sum()):,} (" in text
    assert description_of(mask_map(masks, order="position")) == text
    assert describe(mask_map(masks, 1)).startswith("Mask map: layer 1: 1,088 units.")
    assert "All" not in describe(mask_map({"FOMC": masks["FOMC"]}, parameter=QUERY))


def test_what_cannot_be_drawn_is_said() -> None:
    masks = made_masks(TASKS[:2])
    for call, words in [
        (lambda: mask_map({}), "no mask to draw"),
        (lambda: mask_map(masks, 9), "no layer 9"),
        (lambda: mask_map(masks, parameter="w"), "no parameter named w"),
        (lambda: mask_map(masks, 0, QUERY), "is not in layer 0"),
        (lambda: mask_map(masks, order="size"), "choose one of: shared, position"),  # type: ignore[arg-type]
        (lambda: mask_map({"a": mask_of(w=[])}), "over no units"),
        (lambda: mask_map({"a": mask_of(w=[1]), "b": mask_of(v=[1])}), "only one of the two masks"),
        (lambda: mask_map(dict.fromkeys(map(str, range(5001)), mask_of(w=[1]))), "too many"),
    ]:  # fmt: skip
        with pytest.raises(SettingError, match=words):
            call()
