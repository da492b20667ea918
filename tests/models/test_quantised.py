"""Quantised weights are refused for training and scoring; adapters on them are not."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError
from fggm_lab.fisher import fisher_scores
from fggm_lab.methods import SFT
from fggm_lab.models import load_model
from fggm_lab.models.quantised import check_unquantised
from fggm_lab.training import run_sequence
from tests.support.families import character_tokenizer, some_examples, tiny_model
from tests.support.small import small_tasks

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(3)
BITSANDBYTES = {"quant_method": "bitsandbytes", "load_in_4bit": True}


class Int8Linear(nn.Linear):
    """A linear layer whose weight is int8 with one scale per row, as quantisers keep it."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False)
        weight = linear.weight.detach()
        scale = weight.abs().amax(1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.weight = nn.Parameter((weight / scale).round().to(torch.int8), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.to(x.dtype) * self.get_buffer("scale"))


def quantised_model() -> PreTrainedModel:
    """A Llama whose feed-forward blocks are int8; embeddings, attention and norms are floats."""
    model = tiny_model("llama")
    for layer in model.model.layers:
        for name in ("gate_proj", "up_proj", "down_proj"):
            setattr(layer.mlp, name, Int8Linear(getattr(layer.mlp, name)))
    return model


def named_in_config() -> PreTrainedModel:
    model = tiny_model("llama")
    model.config.quantization_config = {"quant_method": "gptq", "bits": 4}
    return model


@pytest.mark.parametrize("make", [quantised_model, named_in_config])
def test_own_weights_that_are_quantised_are_refused(make: Any, tmp_path: Path) -> None:
    model = make()
    with pytest.raises(ModelError, match=r"are quantised .* cannot be trained; load the model un"):
        fisher_scores(model, TOKENIZER, EXAMPLES)
    with pytest.raises(ModelError, match="are quantised"):
        run_sequence(model, TOKENIZER, small_tasks(), SFT(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_quantised_folder_is_refused_before_its_weights_are_read(tmp_path: Path) -> None:
    tiny_model("llama", dtype=torch.float32).save_pretrained(tmp_path)
    TOKENIZER.save_pretrained(tmp_path)
    load_model(tmp_path, device="cpu", for_training=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"quantization_config": BITSANDBYTES})
    )
    (tmp_path / "model.safetensors").write_bytes(b"never read")
    with pytest.raises(ModelError, match=r"quantised \(bitsandbytes\).*LoRA adapter"):
        load_model(tmp_path, device="cpu", for_training=True)


def test_adapters_on_a_quantised_base_are_scored() -> None:
    import peft

    torch.manual_seed(0)
    settings = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model = peft.get_peft_model(quantised_model(), settings)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert len(scores) == 8 and all("lora_" in name for name in scores)
    assert all(units.any() for units in scores.units.values())


def test_single_bytes_count_but_not_other_integers() -> None:
    model = nn.Module()
    model.table = nn.Parameter(torch.arange(4), requires_grad=False)
    check_unquantised(model)
    model.weight = nn.Parameter(torch.zeros(2, 2).to(torch.float8_e4m3fn), requires_grad=False)
    with pytest.raises(ModelError, match="weight is float8_e4m3fn"):
        check_unquantised(model)
