"""What models of 0.1 to 70 billion parameters take, by their configs alone: docs/scaling.json.

`python -m benchmarks.scaling` estimates them all, on any machine, in minutes, and writes the file
that the table of docs/scaling.md is made from.
"""

from pathlib import Path
from typing import Any

from fggm_lab.files import write_json
from fggm_lab.training import MemoryEstimate, estimate_memory

OUT = Path(__file__).parents[1] / "docs" / "scaling.json"

BATCH, LENGTH, ANSWER = 4, 1024, 256
"""Texts per step, tokens of each, and how many of these are the answer."""

MODELS: dict[str, dict[str, Any]] = {
    "SmolLM2-135M": {
        "model_type": "llama",
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
        "tie_word_embeddings": True,
    },
    "Qwen2-1.5B": {
        "model_type": "qwen2",
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "tie_word_embeddings": True,
    },
    "Qwen2-7B": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "tie_word_embeddings": False,
    },
    "Llama-3-70B": {
        "model_type": "llama",
        "hidden_size": 8192,
        "intermediate_size": 28672,
        "num_hidden_layers": 80,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "tie_word_embeddings": False,
    },
}
"""The sizes that these models' own config.json names."""


def estimate(name: str, method: str, checkpointing: bool) -> MemoryEstimate:
    """One model's memory in bfloat16, a Fisher pass being of one text."""
    return estimate_memory(
        MODELS[name] | {"max_position_embeddings": 8192},
        method,
        dtype="bfloat16",
        answer_length=ANSWER,
        fisher_batch_size=1,
        batch_size=BATCH,
        max_length=LENGTH,
        gradient_checkpointing=checkpointing,
    )


def rows(name: str) -> dict[str, int]:
    """The cells of one model, bytes.

    A step under FGGM's mask is one under any mask of its share, such as a random one.

    Args:
        name: a key of `MODELS`.

    Returns:
        Column → bytes; of `parameters` their number.
    """
    sft, fggm = estimate(name, "sft", False), estimate(name, "fggm", False)
    return {
        "parameters": sft.parameters,
        "weights": sft.weights,
        "sft": sft.training_peak,
        "sft_checkpointing": estimate(name, "sft", True).training_peak,
        "fggm": fggm.training_peak,
        "fggm_checkpointing": estimate(name, "random", True).training_peak,
        "fisher": fggm.fisher_peak or 0,
    }


def main() -> None:
    """Estimate all models and write `OUT`."""
    settings = {"batch": BATCH, "length": LENGTH, "answer": ANSWER, "dtype": "bfloat16"}
    models: dict[str, dict[str, int]] = {}
    for name in MODELS:
        models[name] = rows(name)
        print(name, {key: f"{size / 2**30:.1f}" for key, size in models[name].items()}, flush=True)
    write_json(OUT, settings | {"models": models})
    print(f"wrote {OUT}")


if __name__ == "__main__":
    main()
