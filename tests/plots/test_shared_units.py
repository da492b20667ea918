"""Shared units and the growth of their union show the counts of the masks, beside chance."""

import pytest
import torch

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, MaskInfo, sharing, usage
from fggm_lab.plots import describe, shared_units, union_growth
from tests.support.records import TASKS, made_masks


def kept_units(mask: Mask) -> set[tuple[str, int]]:
    kept_indices = {n: bits.nonzero().flatten().tolist() for n, bits in mask.units.items()}
    return {(name, i) for name, indices in kept_indices.items() for i in indices}


def test_bars_are_shares_of_units_kept_by_exactly_so_many() -> None:
    masks = made_masks(TASKS[:4])
    sets = [kept_units(mask) for mask in masks.values()]
    total = masks["FOMC"].unit_count
    all_units = set().union(*sets)
    bars, chance = shared_units(masks).data
    for k, y in zip(bars.x, bars.y, strict=True):
        counted = sum(sum(unit in task_units for task_units in sets) == k for unit in all_units)
        assert y == pytest.approx((counted if k else total - len(all_units)) / total)
    rows = sharing(masks)
    assert list(chance.y) == [row["expected"] / total for row in rows]
    assert list(chance.error_y.array) == [2 * row["sd"] / total for row in rows]
    assert f"{rows[4]['units']:,} units (" in bars.customdata[4]


def test_words_say_what_none_one_and_all_keep() -> None:
    masks = made_masks(TASKS[:3])
    masks = {task: masks["FOMC"] for task in masks}
    count, total = masks["FOMC"].count, masks["FOMC"].unit_count
    text = describe(shared_units(masks))
    assert f"none of the 3 tasks' masks keeps 70.2 % ({total - count:,} units" in text
    assert f"all of them keep 29.8 % ({count:,} units; by chance 2.6 %)" in text


def test_the_union_and_the_fresh_units_grow_as_sets_do() -> None:
    masks = made_masks(TASKS[:5])
    total = masks["FOMC"].unit_count
    fresh, used, chance = union_growth(masks).data
    used_units: set[tuple[str, int]] = set()
    for index, (task, mask) in enumerate(masks.items()):
        new = kept_units(mask) - used_units
        used_units |= new
        assert used.x[index] == task
        assert used.y[index] == pytest.approx(len(used_units) / total)
        assert fresh.y[index] == pytest.approx(len(new) / total)
    assert list(chance.y) == [row["expected_used"] / total for row in usage(masks)]
    text = describe(union_growth(masks))
    assert "29.8 % of the units move" in text and f"{used.y[-1]:.1%}"[:-1] in text
    assert "ScienceQA keeps" in text


def test_one_task_has_a_union_but_shares_nothing() -> None:
    masks = made_masks(TASKS[:1])
    assert describe(union_growth(masks)) == "The mask of C-STANCE lets 29.8 % of the units move."
    with pytest.raises(SettingError, match="two tasks"):
        shared_units(masks)
    with pytest.raises(SettingError, match="no mask"):
        union_growth({})


def test_masks_over_no_units_are_refused_in_a_sentence() -> None:
    none = Mask({"w": torch.zeros(0, dtype=torch.bool)}, {"w": 0}, MaskInfo(0.3, "layer", "top"))
    for draw in (shared_units, union_growth):
        with pytest.raises(SettingError, match="over no units"):
            draw({"a": none, "b": none})
