"""Units are rows, Conv1D columns, vector entries; experts keep theirs apart."""

from typing import Any

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from fggm_lab.models import as_units, broadcast_units, unit_axes, unit_count
from fggm_lab.models.units import (
    COLUMN,
    ENTRY,
    LEADING,
    ROW,
    SECOND,
    TRAILING,
    VECTORS,
    other_axis,
    unknown_layouts,
)
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
        ((2, 3, 4), LEADING, 2),
        ((2, 3, 4), TRAILING, 12),
        ((2, 3, 4), SECOND, 3),
        ((2, 3, 4, 5), SECOND, 3),
        ((2, 3), VECTORS, 6),
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


@pytest.mark.parametrize("family", ["gpt_oss", "llama4_text"])
def test_experts_stored_in_columns_have_output_units(family: str) -> None:
    model = tiny_model(family)
    axes = unit_axes(model)
    inside = "mlp" if family == "gpt_oss" else "feed_forward"
    experts = f"model.layers.0.{inside}.experts"
    assert axes[f"{experts}.gate_up_proj"] == axes[f"{experts}.down_proj"] == COLUMN
    if family == "gpt_oss":
        assert axes[f"{experts}.gate_up_proj_bias"] == axes[f"{experts}.down_proj_bias"] == VECTORS
    assert unknown_layouts(model) == []


def test_a_unit_of_a_kernel_is_an_output_channel() -> None:
    full, depthwise = nn.Conv1d(6, 4, 3, groups=2), nn.Conv1d(6, 6, 3, groups=6)
    assert unit_axes(full) == {"weight": LEADING, "bias": ROW}
    assert unit_axes(depthwise) == {"weight": ROW, "bias": ROW}  # (6, 1, 3): the same 6 units
    assert unit_count(tuple(depthwise.weight.shape), ROW) == 6
    assert unit_axes(nn.Conv2d(3, 4, 2))["weight"] == LEADING
    assert other_axis((4, 3, 3), LEADING) == TRAILING


def test_a_unit_of_a_transposed_kernel_is_an_output_channel() -> None:
    full = nn.ConvTranspose1d(6, 4, 3)
    assert unit_axes(full) == {"weight": SECOND, "bias": ROW}
    assert unit_axes(nn.ConvTranspose2d(3, 4, 2))["weight"] == SECOND
    assert unit_axes(nn.ConvTranspose1d(6, 6, 3, groups=6))["weight"] == LEADING
    assert unknown_layouts(full) == []
    assert unknown_layouts(nn.ConvTranspose1d(6, 4, 3, groups=2)) == ["weight"]
    assert other_axis((6, 4, 3), SECOND) == LEADING
    # Without one unit's weights, its output channel alone is its bias.
    x = torch.randn(2, 6, 5)
    before = full(x)
    with torch.no_grad():
        bits = torch.arange(4) == 2
        full.weight.masked_fill_(broadcast_units(bits, tuple(full.weight.shape), SECOND), 0)
    changed = (full(x) != before).any(0).any(-1)
    assert changed.tolist() == [False, False, True, False]


SMALL: dict[str, dict[str, Any]] = {
    "dbrx": {
        "d_model": 16,
        "n_heads": 2,
        "n_layers": 1,
        "max_seq_len": 32,
        "ffn_config": {"ffn_hidden_size": 8, "moe_num_experts": 2, "moe_top_k": 1},
        "attn_config": {"kv_n_heads": 1, "rope_theta": 1e4},
    },
    "xlnet": {"d_model": 16, "n_layer": 1, "n_head": 2, "d_inner": 24},
    "recurrent_gemma": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "lru_width": 16,
        "intermediate_size": 24,
    },
    "rwkv": {"hidden_size": 16, "num_hidden_layers": 2, "attention_hidden_size": 16},
}


@pytest.mark.parametrize(
    ("family", "axes"),
    [
        ("dbrx", {"w1": ROW, "v1": ROW, "w2": COLUMN}),
        ("xlnet", {"q": TRAILING, "o": LEADING, "r_w_bias": VECTORS}),
        ("recurrent_gemma", {"input_gate_weight": COLUMN, "input_gate_bias": VECTORS}),
        ("rwkv", {"attention.time_mix_key": VECTORS}),
    ],
)
def test_projections_of_rank_three(family: str, axes: dict[str, int]) -> None:
    config = AutoConfig.for_model(family, vocab_size=20, **SMALL[family])
    model = AutoModelForCausalLM.from_config(config)
    model_axes = unit_axes(model)
    for ending, axis in axes.items():
        names = [name for name in model_axes if name.endswith(f".{ending}")]
        assert names and {model_axes[name] for name in names} == {axis}
    assert unknown_layouts(model) == []


def test_a_layout_that_cannot_be_known_is_named() -> None:
    model = nn.Module()
    model.weight = nn.Parameter(torch.randn(2, 3, 4))
    assert unknown_layouts(model) == ["weight"] and unit_axes(model) == {"weight": ROW}
