"""Adapters of peft, parametrised weights and BERT-like heads: exact, against plain autograd."""

import warnings
from collections.abc import Callable, Iterator

import peft
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from fggm_lab.fisher import fisher_scores
from fggm_lab.models.encoding import encode
from tests.support import oracle
from tests.support.families import VOCABULARY, character_tokenizer, some_examples, tiny_model

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(4)
ENCODED = encode(TOKENIZER, EXAMPLES, 64)

LINEAR = ["q_proj", "down_proj"]
ADAPTERS: dict[str, Callable[[], peft.PeftConfig]] = {
    "DoRA": lambda: peft.LoraConfig(r=2, target_modules=LINEAR, use_dora=True),
    "LoRA of embeddings": lambda: peft.LoraConfig(r=2, target_modules=["embed_tokens", "v_proj"]),
    "VeRA": lambda: peft.VeraConfig(r=4, target_modules=["q_proj", "o_proj"]),
    "LoHa": lambda: peft.LoHaConfig(r=2, target_modules=LINEAR),
    "LoKr": lambda: peft.LoKrConfig(r=2, target_modules=LINEAR),
    "IA3": lambda: peft.IA3Config(
        target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"]
    ),
    "OFT": lambda: peft.OFTConfig(oft_block_size=4, target_modules=LINEAR),
    "BOFT": lambda: peft.BOFTConfig(boft_block_size=4, target_modules=LINEAR),
}


@pytest.fixture(autouse=True)
def quiet_slow_path() -> Iterator[None]:
    """The slow path's warning is another test's matter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="no rule covers")
        warnings.filterwarnings("ignore", message="which axis of")
        yield


def check_exact(model: PreTrainedModel) -> None:
    """Every trained parameter's entries are the squares of plain autograd's gradients."""
    names = {name for name, p in model.named_parameters() if p.requires_grad}
    scores = fisher_scores(model, TOKENIZER, EXAMPLES, batch_size=4, elementwise=True)
    diagonal = oracle.diagonal_fisher(model, ENCODED)
    assert scores.elementwise is not None and set(scores.elementwise) == names
    for name in names:
        assert diagonal[name].any(), name
        torch.testing.assert_close(
            scores.elementwise[name].double(), diagonal[name], rtol=1e-6, atol=1e-11
        )


@pytest.mark.parametrize("name", ADAPTERS)
def test_adapters_are_scored_exactly(name: str) -> None:
    torch.manual_seed(0)
    model = peft.get_peft_model(tiny_model("llama", tied=False), ADAPTERS[name]())
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:  # many start at zero, where half the gradients vanish
                parameter.add_(0.1 * torch.randn_like(parameter))
    check_exact(model.double())


def weight_norm(linear: nn.Linear) -> nn.Module:
    return parametrizations.weight_norm(linear)


def orthogonal(linear: nn.Linear) -> nn.Module:
    return parametrizations.orthogonal(linear)


def spectral_norm(linear: nn.Linear) -> nn.Module:
    return parametrizations.spectral_norm(linear)


@pytest.mark.parametrize("parametrize", [weight_norm, orthogonal, spectral_norm])
def test_parametrised_weights_are_scored_exactly(
    parametrize: Callable[[nn.Linear], nn.Module],
) -> None:
    torch.manual_seed(0)
    model = tiny_model("llama", tied=False)
    parametrize(model.model.layers[0].self_attn.q_proj)
    parametrize(model.model.layers[1].mlp.down_proj)
    check_exact(model)


def encoder_model(family: str, tied: bool) -> PreTrainedModel:
    """A tiny decoder of a family whose head registers the bias of its inner decoder, too."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family,
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=80,
        is_decoder=True,
        tie_word_embeddings=tied,
        pad_token_id=0,
        eos_token_id=1,
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.double()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["bert", "roberta", "camembert"])
def test_heads_of_encoders_are_scored_exactly(family: str, tied: bool) -> None:
    model = encoder_model(family, tied)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES, batch_size=4)
    truth: dict[str, Tensor] = oracle.unit_sums(model, oracle.diagonal_fisher(model, ENCODED))
    # an untied head's outer bias is a parameter of its own, which nothing uses and nothing scores
    unused = [name for name in truth if name not in scores.units]
    assert unused == (
        [] if tied else [n for n in ("lm_head.bias", "cls.predictions.bias") if n in truth]
    )
    for name in unused:
        assert not truth.pop(name).any()
    assert all(true.any() for true in truth.values())
    assert oracle.largest_error(scores.units, truth, 1e-6) <= 1e-8
    assert not any("head" in name or "predictions" in name for name in scores.info.extra["generic"])
