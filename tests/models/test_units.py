"""Units are rows, Conv1D columns, vector entries; experts keep theirs apart."""

import pytest
import torch

from fggm_lab.models import as_units, broadcast_units, unit_axes, unit_count
from fggm_lab.models.units import ENTRY
from tests.support.families import tiny_model


@pytest.mark.parametrize(
    ("shape", "axis", "units"),
    [
        ((3, 4), 0, 3),
        ((3, 4), 1, 4),
        ((3, 4), ENTRY, 12),
        ((5,), 0, 5),
        ((), 0, 1),
        ((2, 3, 4), 0, 6),
        ((2, 3, 4), 1, 8),
    ],
)
def test_count_view_and_spread_agree(shape: tuple[int, ...], axis: int, units: int) -> None:
    x = torch.randn(shape)
    assert unit_count(shape, axis) == units
    assert as_units(x, axis).shape == (units, x.numel() // units)
    for chosen in range(units):
        bits = torch.arange(units) == chosen
        picked = torch.where(broadcast_units(bits, shape, axis), x, 0.0)
        assert torch.equal(as_units(picked, axis)[chosen], as_units(x, axis)[chosen])
        assert int((picked != 0).sum()) == x.numel() // units


def test_only_conv1d_weights_lie_along_axis_one() -> None:
    axes = unit_axes(tiny_model("gpt2"))
    assert axes["transformer.h.0.attn.c_attn.weight"] == 1
    assert axes["transformer.h.0.attn.c_attn.bias"] == 0
    assert axes["transformer.wte.weight"] == 0
    assert set(unit_axes(tiny_model("llama")).values()) == {0}
