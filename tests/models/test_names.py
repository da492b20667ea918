"""A parameter's name tells its layer and module in every family."""

import pytest

from fggm_lab.models import split_name
from fggm_lab.models.names import own_weight


@pytest.mark.parametrize(
    ("name", "layer", "module"),
    [
        ("model.layers.3.mlp.up_proj.weight", 3, "mlp.up_proj.weight"),
        ("transformer.h.11.attn.c_attn.weight", 11, "attn.c_attn.weight"),
        ("gpt_neox.layers.0.attention.dense.bias", 0, "attention.dense.bias"),
        ("model.decoder.layers.2.fc1.weight", 2, "fc1.weight"),
        ("model.layers.4.mlp.experts.7.w1.weight", 4, "mlp.experts.7.w1.weight"),
        ("model.embed_tokens.weight", None, "embed_tokens.weight"),
        ("model.decoder.embed_positions.weight", None, "embed_positions.weight"),
        ("transformer.ln_f.bias", None, "ln_f.bias"),
        ("lm_head.weight", None, "lm_head.weight"),
    ],
)
def test_split_name(name: str, layer: int | None, module: str) -> None:
    assert split_name(name) == (layer, module)


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        ("model.layers.3.mlp.up_proj.lora_B.default.weight", "model.layers.3.mlp.up_proj.weight"),
        ("model.layers.3.mlp.up_proj.lora_A.default.weight", None),
        ("transformer.h.0.attn.c_attn.lora_B.other.weight", "transformer.h.0.attn.c_attn.weight"),
        ("model.layers.3.mlp.up_proj.weight", "model.layers.3.mlp.up_proj.weight"),
        ("model.norm.weight", "model.norm.weight"),
    ],
)
def test_an_adapters_b_stands_for_its_layers_weight(name: str, weight: str | None) -> None:
    assert own_weight(name) == weight
