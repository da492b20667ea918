"""Tiny random models of each family the lab supports, and a character tokenizer, all offline."""

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from fggm_lab.tasks import Example

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789 .:?\n"
SPECIALS = ("<pad>", "<eos>", "<unk>")
VOCABULARY = len(CHARACTERS) + len(SPECIALS)

FAMILIES = ("llama", "qwen2", "gpt2")
"""What every room's tests run on."""

MIXTURES = ("mixtral", "qwen2_moe", "qwen3_moe")
"""Mixtures of experts."""

COLUMN_EXPERTS = ("gpt_oss", "llama4_text")
"""Mixtures whose experts are stored as (experts, in, out)."""

ALL_FAMILIES = (*FAMILIES, "qwen3", "gpt_neox", "opt", "gemma", *MIXTURES)
"""Every family whose scores are checked against the truth."""


def character_tokenizer(pad: bool = True, extra: str = "") -> PreTrainedTokenizerFast:
    """One token per character; `<pad>` is 0, `<eos>` is 1. No network, no files.

    Args:
        pad: whether the tokenizer names its padding token.
        extra: further characters to know.
    """
    symbols = [*SPECIALS, *CHARACTERS, *(c for c in extra if c not in CHARACTERS)]
    tokenizer = Tokenizer(
        models.WordLevel({symbol: i for i, symbol in enumerate(symbols)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    named = {"pad_token": "<pad>"} if pad else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", unk_token="<unk>", **named
    )


def _sizes(family: str, layers: int, context: int) -> dict[str, Any]:
    """What makes a model of `family` tiny: hidden 16, two heads of 8."""
    if family == "gpt2":
        return {"n_embd": 16, "n_layer": layers, "n_head": 2, "n_positions": context}
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "max_position_embeddings": context,
    }
    if family == "opt":
        return sizes | {"ffn_dim": 24, "word_embed_proj_dim": 16}
    sizes["intermediate_size"] = 24
    if family == "gpt_neox":
        return sizes
    sizes["num_key_value_heads"] = 1
    if family in ("gemma", "qwen3", "qwen3_moe", *COLUMN_EXPERTS):
        sizes["head_dim"] = 8
    if family == "gpt_oss":
        sizes["rope_parameters"] = {"rope_type": "default", "rope_theta": 10_000.0}
    if family == "llama4_text":
        sizes |= {"intermediate_size_mlp": 24, "interleave_moe_layer_step": 1}
    if family in ("mixtral", *COLUMN_EXPERTS):
        return sizes | {"num_local_experts": 4, "num_experts_per_tok": 2}
    if family in MIXTURES:
        return sizes | {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
        }
    return sizes


def tiny_model(
    family: str,
    *,
    tied: bool = True,
    attention: str = "sdpa",
    experts: str = "eager",
    dtype: torch.dtype = torch.float64,
    layers: int = 2,
    vocabulary: int = VOCABULARY,
    context: int = 64,
    seed: int = 0,
) -> PreTrainedModel:
    """A random model of `family`, in training mode, with dropout where the family has it.

    Biases and norm weights are random too: at their usual 0 and 1 they would test little.
    """
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        family,
        vocab_size=vocabulary,
        tie_word_embeddings=tied,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
        **_sizes(family, layers, context),
    )
    if family == "gpt_oss":
        attention = "eager"  # it has no other
    how = {"attn_implementation": attention, "dtype": torch.float32}
    if family in (*MIXTURES, "gpt_oss"):
        how["experts_implementation"] = experts  # the others have no float64 kernel
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, **how)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            else:
                parameter.mul_(5)
    return model.to(dtype).train()


def some_examples(count: int = 7, seed: int = 0, longest: int = 20) -> list[Example]:
    """Random prompts and answers of many lengths, tokens repeating."""
    generator = torch.Generator().manual_seed(seed)

    def text(least: int, most: int) -> str:
        length = int(torch.randint(least, most + 1, (), generator=generator))
        picks: Sequence[int] = torch.randint(0, 12, (length,), generator=generator).tolist()
        return "".join(CHARACTERS[3 * pick] for pick in picks)

    return [Example(text(2, longest), text(1, longest // 2)) for _ in range(count)]
