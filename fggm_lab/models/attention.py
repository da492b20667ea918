"""Attention patterns: which tokens of a text each head of a model attends to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import ModelError
from fggm_lab.models.build import checked_length
from fggm_lab.models.encoding import HasPromptAndAnswer, encode
from fggm_lab.models.modes import evaluating
from fggm_lab.models.token_texts import token_texts
from fggm_lab.tasks import Example


@dataclass(frozen=True, eq=False)
class AttentionPatterns:
    """The attention weights of a model on one text.

    Attributes:
        tokens: the text's n tokens.
        weights: (layers, heads, n, n), from the token of the row to that of the column; a row sums
            to 1, except in families that let a head attend to nothing (gpt-oss).
        layers: (layers,) the number of each layer; layers without attention are left out.
    """

    tokens: tuple[str, ...]
    weights: Tensor
    layers: tuple[int, ...]

    def __repr__(self) -> str:
        layers, heads, count, _ = self.weights.shape
        return f"AttentionPatterns({layers} layers of {heads} heads, {count} tokens)"


def attention_patterns(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    example: HasPromptAndAnswer | str,
    *,
    max_length: int | None = None,
) -> AttentionPatterns:
    """The attention weights of every head on a prompt, as the model itself computes them.

    Args:
        model: a causal language model of transformers; it comes back as it was.
        tokenizer: its tokenizer.
        example: a text, or an example, whose prompt is read; its last token is where the answer
            begins.
        max_length: the most tokens; longer prompts are cut from the left. By default the context.

    Returns:
        The weights, computed with transformers' `eager` attention, the one that has them.

    Raises:
        ModelError: the model has no attention, or does not give its weights.
    """
    example = Example(example, "") if isinstance(example, str) else example
    ids = encode(tokenizer, [example], checked_length(model, max_length))[0].prompt
    with evaluating(model), _eager(model), torch.no_grad():
        output = model(
            input_ids=torch.tensor([ids], device=model.device),
            output_attentions=True,
            use_cache=False,
        )
    weights = dict(enumerate(getattr(output, "attentions", None) or ()))
    by_layer = {layer: tensor[0].float().cpu() for layer, tensor in weights.items()
                if tensor is not None and tensor.ndim == 4}  # fmt: skip
    if not by_layer:
        raise ModelError(
            f"{type(model).__name__} ({model.config.model_type}) gives no attention weights; "
            "lab.attribution.attribute_tokens says what its answers depend on"
        )
    return AttentionPatterns(
        token_texts(tokenizer, ids), torch.stack(list(by_layer.values())), tuple(by_layer)
    )


def attention_name(model: PreTrainedModel) -> str | None:
    """Transformers' name of the kernels that a model's attention runs on, such as `sdpa`.

    Args:
        model: any model of transformers.

    Returns:
        The name; None where the model does not say.
    """
    return getattr(model.config, "_attn_implementation", None)


@contextmanager
def _eager(model: PreTrainedModel) -> Iterator[None]:
    """A model that computes attention so that its weights can be had, until the block ends."""
    used = attention_name(model)
    if used == "eager":
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(used)
