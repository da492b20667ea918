"""Small GGUF files of Llama models, written as llama.cpp's converter writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.convert_slow_tokenizer import bytes_to_unicode

BYTES = list(bytes_to_unicode().values())
"""The 256 tokens of single bytes, as byte-level vocabularies spell them."""
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = ["Ċ Ċ", "1 2", "h i"]
WORD = "the"
"""A token that no merges lead to."""
TOKENS = [*SPECIAL, *BYTES, *(merge.replace(" ", "") for merge in MERGES), WORD]
END = SPECIAL.index("<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.content }}<|im_end|>{% endfor %}"
)
PARTS = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def llama() -> LlamaForCausalLM:
    """A random model whose rows are as long as a block of quantised numbers."""
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=len(TOKENS), max_position_embeddings=128,
        tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def write_gguf(
    path: Path,
    model: LlamaForCausalLM,
    kind: str = "Q4_1",
    pre_tokenizer: str | None = "smollm",
    *,
    end: int | None = END,
    tensors: Mapping[str, np.ndarray] | None = None,
    text_fields: Mapping[str, str] | None = None,
    adds_bos: bool | None = None,
    **fields: Any,
) -> Path:
    """Write a model as a GGUF file, and put into it the numbers that can be read from the file.

    Args:
        path: the file.
        model: its matrices become what their quantised form stands for.
        kind: how matrices are stored, as `gguf` names it.
        pre_tokenizer: the name of the tokenizer's rule; None leaves it out.
        end: the end token's id; None leaves it out.
        tensors: further tensors, by name.
        text_fields: further fields of the header, as texts.
        adds_bos: whether the begin token comes first; None leaves it out.
        fields: further fields of the header, as numbers, or an `architecture`.

    Returns:
        The file.
    """
    import gguf

    config = model.config
    writer = gguf.GGUFWriter(path, fields.pop("architecture", "llama"))
    writer.add_name("small")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    if pre_tokenizer is not None:
        writer.add_tokenizer_pre(pre_tokenizer)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(SPECIAL.index("<|im_start|>"))
    if end is not None:
        writer.add_eos_token_id(end)
    if adds_bos is not None:
        writer.add_add_bos_token(adds_bos)
    writer.add_chat_template(CHAT_TEMPLATE)
    for name, value in fields.items():
        writer.add_uint16(name.replace("_", "."), value)
    for name, text in (text_fields or {}).items():
        writer.add_string(name, text)
    for name, numbers in (tensors or {}).items():
        writer.add_tensor(name, numbers)
    for name, weight in model.named_parameters():
        numbers = weight.detach().numpy()
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
        count = next((n for part, n in heads.items() if part in name), None)
        if numbers.ndim == 1:
            writer.add_tensor(file_name(name), numbers)
            continue
        stored = interleaved(numbers, count) if count else numbers
        quantisation = gguf.GGMLQuantizationType[kind]
        blocks = gguf.quants.quantize(np.ascontiguousarray(stored), quantisation)
        writer.add_tensor(file_name(name), blocks, raw_dtype=quantisation)
        readable = gguf.quants.dequantize(blocks, quantisation)
        back = in_halves(readable, count) if count else readable
        weight.data.copy_(torch.from_numpy(np.ascontiguousarray(back)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def interleaved(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of queries or keys in llama.cpp's order: the halves of each head take turns."""
    return rows.reshape(heads, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def in_halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """The same in the order of transformers."""
    return rows.reshape(heads, -1, 2, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def file_name(name: str) -> str:
    """A parameter's name in the file."""
    inside, _, kind = name.rpartition(".")
    if inside in PARTS:
        return f"{PARTS[inside]}.{kind}"
    _, _, layer, part = inside.split(".", 3)
    return f"blk.{layer}.{PARTS[part]}.{kind}"
