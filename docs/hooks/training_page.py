"""What the page that trains (`docs/try/`) loads: the shipped model, two tasks, the worker's code.

Everything is in one script, so that the page also works when it is opened from a folder, where a
browser lets a page read no other file.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from transformers import PreTrainedModel

import fggm_lab as lab
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.seeds import derived_seed
from fggm_lab.training.schedule import batch_indices

DOCS = Path(__file__).resolve().parents[1]
PAGE = "try/data.js"

TASKS = ("NumGLUE-cm", "NumGLUE-ds")
SETTINGS = lab.TrainingSettings(lr=1.5e-3, epochs=4, batch_size=32, limit=160)
"""As the course trains; the seed orders the batches as `fggm-lab run` orders them."""
STEPS = 20
FISHER_EXAMPLES = 64
TESTED = 40
"""Test examples of each task."""
GENERAL = 6
"""Held-out examples of each skill of General."""


def _plain(examples: Sequence[Encoded]) -> list[dict[str, list[int]]]:
    return [{"prompt": list(e.prompt), "answer": list(e.answer)} for e in examples]


def _answer_tokens(examples: Sequence[Encoded]) -> int:
    return sum(len(e.answer) for e in examples)


def _padded(length: int) -> int:
    """The next multiple of 8: the matrix products of jax-js are several times as fast on these."""
    return -(-length // 8) * 8


def _architecture(model: PreTrainedModel) -> dict[str, Any]:
    config = model.config
    return {
        "vocabulary": config.vocab_size,
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "groups": config.num_key_value_heads,
        "width": config.head_dim,
        "eps": config.rms_norm_eps,
        "theta": config.rope_parameters["rope_theta"],
        "parameters": [
            {"name": name, "shape": list(p.shape)} for name, p in model.named_parameters()
        ],
    }


def page_data() -> dict[str, Any]:
    """The model's shape and weights, the tasks as tokens with the batches of every step, General.

    Returns:
        Values for JSON; the weights are float32, little-endian, base64.
    """
    model, tokenizer = lab.load_model("tiny", device="cpu")
    tasks = lab.load_tasks("trace-mini", order=list(TASKS))
    length = model.config.max_position_embeddings
    general = [
        encoded
        for examples in lab.load_general("trace-mini").skills.values()
        for encoded in encode(tokenizer, examples[:GENERAL], length)
    ]
    train = [encode(tokenizer, task.train[: SETTINGS.limit], length) for task in tasks]
    test = [encode(tokenizer, task.test[:TESTED], length) for task in tasks]
    batches = [
        batch_indices(
            len(examples), STEPS, SETTINGS.batch_size, derived_seed(SETTINGS.seed, i, "data order")
        )
        for i, examples in enumerate(train)
    ]
    weights = b"".join(p.detach().numpy().astype("<f4").tobytes() for p in model.parameters())
    longest_answer = max(len(e.answer) for examples in train for e in examples)
    config = _architecture(model) | {
        "lr": SETTINGS.lr,
        "clip": SETTINGS.clip,
        "seed": SETTINGS.seed,
        "fisherExamples": FISHER_EXAMPLES,
        "measureEvery": 5,
        "length": _padded(max(len(e) for examples in (*train, *test) for e in examples)),
        "generalLength": _padded(max(map(len, general))),
        "answers": {
            "example": longest_answer,
            "batch": longest_answer * SETTINGS.batch_size,
            "test": max(map(_answer_tokens, test)),
            "general": _answer_tokens(general),
        },
    }
    return {
        "config": config,
        "weights": base64.b64encode(weights).decode(),
        "tasks": [
            {"name": task.name, "train": _plain(a), "test": _plain(b), "batches": order}
            for task, a, b, order in zip(tasks, train, test, batches, strict=True)
        ],
        "general": _plain(general),
    }


def script() -> str:
    """The data, and the worker's code as a string."""
    code = "\n".join(
        (DOCS / name).read_text(encoding="utf-8") for name in ("vendor/jax.js", "try/worker.js")
    )
    parts = {"DATA": page_data(), "WORKER": code}
    return "\n".join(
        f"const {n} = {json.dumps(v, separators=(',', ':'))};" for n, v in parts.items()
    )


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the script to the site."""
    files.append(File.generated(config, PAGE, content=script()))
    return files
