"""Attribution on unusual layouts: as captum and brute force have it, or refused in one sentence."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from captum.attr import LayerConductance
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from fggm_lab.attribution import attribute_tokens
from fggm_lab.attribution.neurons import _embedded, _likelihood, neuron_conductance
from fggm_lab.errors import ModelError
from fggm_lab.fisher import fisher_scores
from fggm_lab.models.encoding import encode
from tests.support.families import VOCABULARY, character_tokenizer, some_examples, tiny_model

TOKENIZER = character_tokenizer()
EXAMPLE = some_examples(1)[0]
ENCODED = encode(TOKENIZER, [EXAMPLE], 64)[0]
LAYERS = {"hidden_size": 16, "num_hidden_layers": 2}
SIZES: dict[str, dict[str, Any]] = {
    "mamba": LAYERS | {"state_size": 4},
    "gemma3n_text": LAYERS
    | {
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "intermediate_size": 24,
        "vocab_size_per_layer_input": VOCABULARY,
        "hidden_size_per_layer_input": 8,
        "laurel_rank": 4,
        "num_kv_shared_layers": 0,
        "altup_num_inputs": 2,
        "activation_sparsity_pattern": None,
        "layer_types": ["sliding_attention", "full_attention"],
    },
    "xlnet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24},
    "rwkv": LAYERS | {"attention_hidden_size": 16},
}


def model_of(family: str) -> PreTrainedModel:
    """A tiny random model; vectors, which often start at 0 or 1, are random, too."""
    if family not in SIZES:
        return tiny_model(family)
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family,
        vocab_size=VOCABULARY,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        **SIZES[family],
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.double()


def by_captum(model: PreTrainedModel, name: str, arrange: Callable[[Tensor], Tensor]) -> Tensor:
    """One layer's conductance by captum, whose layers' outputs `arrange` brings to (B, T, n)."""
    inputs, baselines = _embedded(model, ENCODED, TOKENIZER.eos_token_id)
    layer = model.get_submodule(name.removesuffix(".weight"))
    handle = layer.register_forward_hook(lambda module, args, output: arrange(output))
    try:
        flow = LayerConductance(_likelihood(model, ENCODED), layer).attribute(
            inputs, baselines, n_steps=4
        )
    finally:
        handle.remove()
    return flow.detach().flatten(0, -2).sum(0).abs()


@pytest.mark.filterwarnings("ignore:MambaForCausalLM", "ignore:no rule covers")
@pytest.mark.parametrize(
    ("family", "layers"),
    [
        ("llama", ["mlp.down_proj", "self_attn.q_proj"]),
        ("gpt2", ["mlp.c_proj", "attn.c_attn"]),
        ("gpt_neox", ["mlp.dense_4h_to_h", "attention.query_key_value"]),
        ("mamba", ["mixer.in_proj", "mixer.out_proj"]),
    ],
)
def test_conductance_is_captums(family: str, layers: list[str]) -> None:
    model = model_of(family).eval()
    flows = neuron_conductance(model, TOKENIZER, [EXAMPLE], steps=4)
    scores = fisher_scores(model, TOKENIZER, [EXAMPLE])
    for layer in layers:
        name = next(name for name in flows if name.endswith(f".1.{layer}.weight"))
        assert flows[name].any()
        truth = by_captum(model, name, lambda output: output.clone())
        torch.testing.assert_close(flows[name], truth, rtol=1e-4, atol=1e-7)
    assert all(len(flow) == len(scores.units[name]) for name, flow in flows.items())


def test_layers_that_see_tokens_without_a_batch_axis() -> None:
    """OPT flattens (batch, tokens) before its feed-forward block, and adds up on the way."""
    model = model_of("opt").eval()
    flows = neuron_conductance(model, TOKENIZER, [EXAMPLE], steps=256)
    inputs, baselines = _embedded(model, ENCODED, TOKENIZER.eos_token_id)
    likelihood = _likelihood(model, ENCODED)
    name = "model.decoder.layers.1.fc2.weight"
    layer = model.get_submodule(name.removesuffix(".weight"))
    total = torch.zeros(16, dtype=torch.float64)
    steps = 512  # along the straight line, one prompt at a time
    before: Tensor | None = None
    for step in range(steps + 1):
        outputs: list[Tensor] = []
        handle = layer.register_forward_hook(lambda m, a, output, o=outputs: o.append(output))
        point = (baselines + (step / steps) * (inputs - baselines)).requires_grad_()
        value = likelihood(point).sum()
        handle.remove()
        (slope,) = torch.autograd.grad(value, outputs)
        if before is not None:
            total += ((outputs[0] - before) * slope).detach().sum(0)
        before = outputs[0].detach()
    torch.testing.assert_close(flows[name], total.abs(), rtol=0.03, atol=1e-3)


def test_as_many_tokens_as_steps() -> None:
    model = model_of("opt")
    flows = neuron_conductance(model, TOKENIZER, [EXAMPLE], steps=len(ENCODED) - 1)
    others = neuron_conductance(model, TOKENIZER, [EXAMPLE], steps=len(ENCODED))
    for name, flow in flows.items():
        torch.testing.assert_close(flow, others[name], rtol=0.5, atol=0.1 * float(flow.max()))


def test_mambas_layers_without_a_call_are_said() -> None:
    model = model_of("mamba")
    with pytest.warns(UserWarning, match=r"MambaForCausalLM \(mamba\) uses .*dt_proj.*left out"):
        flows = neuron_conductance(model, TOKENIZER, [EXAMPLE], steps=2)
    assert len(flows) == 6 and not any("dt_proj" in name for name in flows)
    name = "backbone.layers.0.mixer.dt_proj.weight"
    with pytest.raises(ModelError, match=r"uses .*dt_proj.* choose other weights"):
        neuron_conductance(model, TOKENIZER, [EXAMPLE], [name], steps=2)


@pytest.mark.parametrize("family", ["opt", "gpt_neox", "mamba"])
def test_integrated_gradients_add_up(family: str) -> None:
    attribution = attribute_tokens(model_of(family), TOKENIZER, EXAMPLE, steps=64)
    assert attribution.delta < 1e-3 * max(1.0, float(attribution.difference.abs().max()))


def test_a_model_that_looks_tokens_up_twice_is_refused() -> None:
    model = model_of("gemma3n_text")
    with pytest.raises(ModelError, match=r"reach Gemma3nForCausalLM .* use method='ablation'"):
        attribute_tokens(model, TOKENIZER, EXAMPLE)
    assert attribute_tokens(model, TOKENIZER, EXAMPLE, method="ablation").scores.any()
    with pytest.raises(ModelError, match=r"Gemma3nForCausalLM .* is not defined"):
        neuron_conductance(model, TOKENIZER, [EXAMPLE], steps=2)
    assert not any(module._forward_hooks for module in model.modules())


def test_layouts_that_cannot_be_told_are_refused() -> None:
    with pytest.raises(ModelError, match=r"XLNetLMHeadModel .* use method='ablation'"):
        attribute_tokens(model_of("xlnet"), TOKENIZER, EXAMPLE, steps=2)
    with pytest.raises(ModelError, match=r"XLNetLMHeadModel .* layout of its own"):
        neuron_conductance(model_of("xlnet"), TOKENIZER, [EXAMPLE], steps=2)
    with pytest.raises(ModelError, match=r"RwkvForCausalLM .* use method='ablation'"):
        attribute_tokens(model_of("rwkv"), TOKENIZER, EXAMPLE, steps=2)


def test_a_model_without_layers_is_refused() -> None:
    model = tiny_model("llama")
    model.model.layers = torch.nn.ModuleList()
    with pytest.raises(ModelError, match=r"LlamaForCausalLM \(llama\) has no linear layers"):
        neuron_conductance(model, TOKENIZER, [EXAMPLE])
