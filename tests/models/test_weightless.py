"""A model without weights has a model's shapes and takes no memory; a config is read alone."""

import json
from pathlib import Path

import psutil
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor

from fggm_lab.errors import ModelError
from fggm_lab.models import build_model
from fggm_lab.models.load import read_config
from fggm_lab.models.weightless import weightless_model

LLAMA_70B = {
    "model_type": "llama",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "num_hidden_layers": 4,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
SMALL = {
    "model_type": "qwen2",
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "vocab_size": 50,
}


def test_billions_of_weights_take_no_memory() -> None:
    before = psutil.Process().memory_info().rss
    with weightless_model(read_config(LLAMA_70B), torch.bfloat16) as model:
        count = sum(p.numel() for p in model.parameters())
        loss = model(torch.arange(20)[None], labels=torch.arange(20)[None]).loss
        loss.backward()
        head = model.lm_head.weight
        assert isinstance(head.grad, FakeTensor) and head.grad.shape == (128256, 8192)
    assert count > 5e9
    assert (
        psutil.Process().memory_info().rss - before < 2**30
    )  # the head's gradient alone has 2 GiB


def test_numbers_computed_from_ids_are_real() -> None:
    with weightless_model(read_config(LLAMA_70B), torch.bfloat16) as model:
        ids = torch.tensor([[3, 5, 5]])
        assert len(ids.unique()) == 2
        logits = model(ids).logits
        assert logits.shape == (1, 3, 128256)
        assert bool(torch.isfinite(logits.float().sum()))  # what training asks of a loss


def test_shapes_and_types_are_those_of_the_model() -> None:
    model = build_model(dict(SMALL), seed=0)
    with weightless_model(read_config(SMALL), torch.bfloat16) as weightless:
        shapes = {name: p.shape for name, p in weightless.named_parameters()}
        assert {p.dtype for p in weightless.parameters()} == {torch.bfloat16}
    assert shapes == {name: p.shape for name, p in model.named_parameters()}


def test_random_numbers_outside_go_on_as_if_nothing_had_been_built() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with weightless_model(read_config(SMALL), torch.float32):
        pass
    assert torch.equal(torch.rand(3), expected)


def test_a_config_needs_no_weights_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(SMALL), encoding="utf-8")
    for source in (tmp_path, file, str(file), SMALL, read_config(SMALL)):
        assert read_config(source).vocab_size == 50
    assert read_config("tiny").vocab_size > 50


def test_what_depends_on_numbers_is_refused() -> None:
    mixture = read_config({"model_type": "mixtral", "num_local_experts": 4})
    with (
        pytest.raises(ModelError, match="mixtral is a mixture of experts"),
        weightless_model(mixture, torch.float32),
    ):
        pass
    with (
        pytest.raises(ModelError, match="sizes of tensors in LlamaForCausalLM depend on numbers"),
        weightless_model(read_config(LLAMA_70B), torch.float32) as model,
    ):
        model.lm_head.weight.unique()


def test_what_is_no_config_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model folder"):
        read_config(tmp_path / "nothing")
    with pytest.raises(ModelError, match="no model can be built from this config"):
        read_config({"model_type": "no such type"})
    with pytest.raises(ModelError, match="quantised"):
        read_config(SMALL | {"quantization_config": {"quant_method": "gptq", "bits": 4}})
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="GGUF file"):
        read_config(tmp_path / "model.gguf")
    with (
        pytest.raises(ModelError, match="check its model_type and sizes"),
        weightless_model(read_config(SMALL | {"hidden_size": 1}), torch.float32),
    ):
        pass
