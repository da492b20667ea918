"""Random models, batches and examples of known sizes, and the plain way to train on them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from benchmarks.harness import Settings
from fggm_lab.models.build import build_model
from fggm_lab.models.encoding import IGNORED
from fggm_lab.tasks import Example

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Shape:
    """A model and the batches it gets.

    Attributes:
        family: `llama`, or `qwen2` (biases on query, key and value; fewer key and value heads).
        hidden, layers, vocabulary: sizes of the model.
        length: tokens per example.
        batch: examples per batch.
        answers: the share of an example's tokens, its last ones, that are labelled.
        intermediate: of the feed-forward part; 8/3 · hidden, rounded up to 64, if not given.
        head: width of an attention head.
        groups: query heads per key and value head.
    """

    family: str
    hidden: int
    length: int
    batch: int = 8
    layers: int = 4
    vocabulary: int = 2048
    answers: float = 0.5
    intermediate: int = 0
    head: int = 64
    groups: int = 1

    @property
    def inner(self) -> int:
        """The feed-forward part's width."""
        return self.intermediate or -(-8 * self.hidden // (3 * 64)) * 64

    @property
    def answer(self) -> int:
        """Tokens of an example whose likelihood counts; the first one has none."""
        return min(self.length - 1, max(1, round(self.answers * self.length)))

    @property
    def row(self) -> dict[str, Any]:
        """The keys by which a row of a table names the shape."""
        return {
            "family": self.family,
            "hidden": self.hidden,
            "layers": self.layers,
            "length": self.length,
            "batch": self.batch,
            "answers": self.answers,
        }


def shapes(settings: Settings, quick: list[Shape], full: list[Shape]) -> list[Shape]:
    """The shapes to measure: those given on the CPU, Qwen2's 0.1 B and 1.5 B on a GPU."""
    if settings.size == "tiny":
        return [Shape("llama", 64, 8, batch=2, layers=2, vocabulary=64, head=32)]
    if settings.device.type == "cuda":
        small = Shape("qwen2", 768, 512, layers=12, vocabulary=32000, groups=6, intermediate=2048)
        large = Shape(
            "qwen2", 1536, 512, 8, 28, 151936, intermediate=8960, head=128, groups=6
        )  # as Qwen2-1.5B is
        return [small] if settings.size == "quick" else [small, large]
    return quick if settings.size == "quick" else full


def model_config(shape: Shape) -> dict[str, Any]:
    """The config of a model, head and embedding tied."""
    heads = shape.hidden // shape.head
    return {
        "model_type": shape.family,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // shape.groups,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": max(1024, shape.length),
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "use_cache": False,
    }


def make_model(shape: Shape, settings: Settings) -> PreTrainedModel:
    """A model with random weights, head and embedding tied, in evaluation mode."""
    return build_model(model_config(shape), seed=0).to(settings.device, settings.dtype)


def make_batch(shape: Shape, settings: Settings, seed: int = 0) -> Batch:
    """Random tokens without padding; the last `shape.answer` of every example are labelled."""
    draw = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, shape.vocabulary, (shape.batch, shape.length), generator=draw)
    labels = ids.clone()
    labels[:, : shape.length - shape.answer] = IGNORED
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
    return {name: tensor.to(settings.device) for name, tensor in batch.items()}


def make_examples(shape: Shape, count: int) -> list[Example]:
    """Examples of exactly `shape.length` tokens of `word_tokenizer`, the answer's end included."""
    draw = torch.Generator().manual_seed(0)
    prompt = shape.length - shape.answer
    ids = torch.randint(1, shape.vocabulary, (count, shape.length - 1), generator=draw).tolist()
    return [Example(_words(row[:prompt]), _words(row[prompt:])) for row in ids]


def word_tokenizer(shape: Shape) -> PreTrainedTokenizerFast:
    """A token for every number below the vocabulary's size; 0 is padding and end."""
    numbers = {str(i): i for i in range(1, shape.vocabulary)}
    words = models.WordLevel({"<end>": 0} | numbers, unk_token="<end>")
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>")


def forward_backward(model: PreTrainedModel, batches: list[Batch]) -> Callable[[], None]:
    """An ordinary training pass without the optimiser: what the Fisher pass is measured against."""

    def run() -> None:
        for batch in batches:
            model(**batch, use_cache=False).loss.backward()
            model.zero_grad(set_to_none=True)

    return run


def _words(ids: list[int]) -> str:
    return " ".join(map(str, ids))
