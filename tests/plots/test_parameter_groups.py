"""Parameters are gathered into rows, each in exactly one, under names that tell rows apart."""

import pytest

from fggm_lab.models.names import names_by_layer
from fggm_lab.plots.parameter_groups import by_module, merging_note, short_names
from tests.support.records import made_scores

NAMES = made_scores(layers=5).names


@pytest.mark.parametrize("max_rows", [100, 6, 4, 3, 2])
def test_every_parameter_is_in_one_row_and_rows_are_few(max_rows: int) -> None:
    rows = names_by_layer(NAMES, max_rows)
    assert len(rows) <= max_rows
    assert sorted(n for members in rows.values() for n in members) == sorted(NAMES)


def test_layers_keep_their_order_and_what_lies_outside_is_last() -> None:
    rows = names_by_layer(reversed(NAMES), 100)
    assert list(rows) == [*(f"layer {n}" for n in range(5)), "outside layers"]
    assert all(".layers.3." in name for name in rows["layer 3"])
    assert merging_note(rows) == ""


def test_neighbouring_layers_share_a_row_where_there_are_too_many() -> None:
    rows = names_by_layer(NAMES, 4)
    assert list(rows) == ["layers 0–1", "layers 2–3", "layer 4", "outside layers"]
    assert "share a row" in merging_note(rows)


def test_modules_lose_what_tells_nothing() -> None:
    assert short_names(["self_attn.q_proj.weight", "self_attn.q_proj.bias", "norm.weight"]) == {
        "self_attn.q_proj.weight": "q_proj",
        "self_attn.q_proj.bias": "q_proj.bias",
        "norm.weight": "norm",
    }


def test_modules_keep_what_tells_them_apart() -> None:
    names = ["attn.c_proj.weight", "mlp.c_proj.weight", "mlp.c_fc.bias", "bias"]
    assert list(short_names(names).values()) == ["attn.c_proj", "mlp.c_proj", "c_fc.bias", "bias"]


def test_modules_alike_but_for_a_number_share_a_row_only_where_they_must() -> None:
    names = [f"model.layers.{n}.mlp.experts.{e}.up.weight" for n in range(2) for e in range(9)]
    assert len(by_module(names, 9)) == 9
    rows = by_module(names, 8)
    assert list(rows) == ["experts.*.up"] and sorted(rows["experts.*.up"]) == sorted(names)
    assert "share a row" in merging_note(rows)
