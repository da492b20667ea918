"""What `check_model` finds on tiny random models of many families: `docs/families.json`.

`python -m benchmarks.families` checks them all in a minute and writes the file that the
documentation's table of model families is made from.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.evaluation import ModelCheck, check_model
from fggm_lab.files import write_json
from fggm_lab.models import TINY, load_model

OUT = Path(__file__).parents[1] / "docs" / "families.json"

_PLAIN: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 80,
}
_GROUPED = _PLAIN | {"num_key_value_heads": 1}
_WIDE_HEADS = _GROUPED | {"head_dim": 8}
_EXPERTS = _GROUPED | {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 12,
    "shared_expert_intermediate_size": 20,
}
_GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 80}
_ENCODER = _PLAIN | {"is_decoder": True}
_DECODER = {
    "d_model": 16,
    "decoder_layers": 2,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 24,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "max_position_embeddings": 80,
    "is_decoder": True,
}
_STATE_SPACE = {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}

SIZES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ("llama", "mistral", "qwen2", "olmo", "olmo2", "granite", "starcoder2", "stablelm", "phi"),
        _GROUPED,
    ),
    **dict.fromkeys(("phi3", "cohere", "nemotron", "persimmon", "arcee", "apertus"), _GROUPED),
    **dict.fromkeys(("biogpt", "bitnet"), _GROUPED),
    **dict.fromkeys(("qwen3", "gemma", "gemma2", "gemma3_text", "glm", "helium"), _WIDE_HEADS),
    **dict.fromkeys(("seed_oss", "smollm3", "exaone4"), _WIDE_HEADS),
    "mixtral": _GROUPED | {"num_local_experts": 4, "num_experts_per_tok": 2},
    **dict.fromkeys(("qwen2_moe", "qwen3_moe", "olmoe"), _EXPERTS),
    "gpt_oss": _WIDE_HEADS | {"num_local_experts": 4, "num_experts_per_tok": 2},
    **dict.fromkeys(("gpt2", "openai-gpt", "gpt_bigcode"), _GPT),
    "gptj": _GPT | {"rotary_dim": 4},
    "codegen": _GPT | {"n_head": 4, "rotary_dim": 4},
    "gpt_neo": {
        "hidden_size": 16,
        "num_layers": 2,
        "num_heads": 2,
        "attention_types": [[["global", "local"], 1]],
        "max_position_embeddings": 80,
    },
    "gpt_neox": _PLAIN,
    "opt": _PLAIN | {"ffn_dim": 24, "word_embed_proj_dim": 16},
    "bloom": {"hidden_size": 16, "n_layer": 2, "n_head": 2},
    "falcon": {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2},
    "mpt": {"d_model": 16, "n_layers": 2, "n_heads": 2, "max_seq_len": 80},
    "ctrl": _GPT | {"dff": 24},
    "xglm": {
        "d_model": 16,
        "num_layers": 2,
        "attention_heads": 2,
        "ffn_dim": 24,
        "max_position_embeddings": 80,
    },
    **dict.fromkeys(("bert", "electra", "megatron-bert", "roformer", "ernie"), _ENCODER),
    **dict.fromkeys(("bert-generation", "big_bird"), _ENCODER),
    **dict.fromkeys(("roberta", "camembert", "data2vec-text", "xlm-roberta"), _ENCODER),
    "rembert": _ENCODER | {"input_embedding_size": 16, "output_embedding_size": 16},
    **dict.fromkeys(("bart", "mbart", "pegasus", "plbart", "blenderbot", "marian"), _DECODER),
    **dict.fromkeys(("bigbird_pegasus", "trocr"), _DECODER),
    "xlm": {
        "emb_dim": 16,
        "n_layers": 2,
        "n_heads": 2,
        "max_position_embeddings": 80,
        "causal": True,
    },
    "xlnet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24},
    "rwkv": {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "attention_hidden_size": 16,
        "intermediate_size": 24,
        "context_length": 80,
    },
    "mamba": _STATE_SPACE,
    "falcon_mamba": _STATE_SPACE,
    "mamba2": _STATE_SPACE | {"num_heads": 4, "head_dim": 8, "n_groups": 1, "chunk_size": 8},
    "recurrent_gemma": _WIDE_HEADS
    | {"num_hidden_layers": 3, "lru_width": 16, "attention_window_size": 16},
    "jamba": _GROUPED
    | {
        "num_experts": 2,
        "mamba_d_state": 4,
        "mamba_dt_rank": 4,
        "use_mamba_kernels": False,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
    },
    "lfm2": _GROUPED | {"layer_types": ["conv", "full_attention"]},
}
"""Family, by transformers' `model_type` → what makes a model of it tiny."""


def tiny_family(family: str, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A tiny random model of a family in evaluation mode, always the same one.

    Args:
        family: a key of `SIZES`.
        tokenizer: whose vocabulary and special tokens it gets.

    Returns:
        The model, in float32. Its biases and norm weights are random, too.
    """
    config = AutoConfig.for_model(
        family,
        vocab_size=len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        **SIZES[family],
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
            else:
                parameter.mul_(5)
    return model.eval()


def check_families() -> dict[str, ModelCheck]:
    """Every family of `SIZES` with what `check_model` finds."""
    _, tokenizer = load_model(TINY)
    return {family: check_model(tiny_family(family, tokenizer), tokenizer) for family in SIZES}


def main() -> None:
    """Check all families and write `OUT`."""
    transformers.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        checks = {family: check.to_json() for family, check in check_families().items()}
    write_json(OUT, {"transformers": transformers.__version__, "families": checks})
    right = sum(check["ok"] for check in checks.values())
    print(f"wrote {OUT}: {right} of {len(checks)} without fault")


if __name__ == "__main__":
    main()
