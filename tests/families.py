"""Tiny random models of each family the lab supports, and a character tokenizer, all offline."""

from collections.abc import Sequence

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from fggm_lab.tasks.records import Example

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789 .:?\n"
SPECIALS = ("<pad>", "<eos>", "<unk>")
VOCABULARY = len(CHARACTERS) + len(SPECIALS)

FAMILIES = ("llama", "qwen2", "gpt2")


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


def tiny_model(
    family: str,
    *,
    tied: bool = True,
    attention: str = "sdpa",
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
    common = {
        "vocab_size": vocabulary,
        "tie_word_embeddings": tied,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": 1,
        "attn_implementation": attention,
    }
    model: PreTrainedModel
    if family == "gpt2":
        model = GPT2LMHeadModel(
            GPT2Config(n_embd=16, n_layer=layers, n_head=2, n_positions=context, **common)
        )
    else:
        config, kind = {
            "llama": (LlamaConfig, LlamaForCausalLM),
            "qwen2": (Qwen2Config, Qwen2ForCausalLM),
        }[family]
        model = kind(
            config(
                hidden_size=16,
                intermediate_size=24,
                num_hidden_layers=layers,
                num_attention_heads=2,
                num_key_value_heads=1,
                max_position_embeddings=context,
                **common,
            )
        )
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
