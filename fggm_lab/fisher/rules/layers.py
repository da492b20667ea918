"""Linear layers and embeddings."""

import torch
from torch import Tensor, nn

from fggm_lab.fisher.factors import Dense, Entries, Scattered, widen
from fggm_lab.fisher.rules.registry import Parts, computes_as, layer_rule


def positions(x: Tensor) -> Tensor:
    """(B, …, n) → (B, T, n); the very same tensor if it has that form."""
    return x if x.ndim == 3 else x.flatten(1, -2)


def sum_positions(x: Tensor, ndim: int = 1) -> Entries:
    """Sum (B, …, *shape) over all but the examples and the last `ndim` axes."""
    axes = tuple(range(1, x.ndim - ndim))
    dtype = torch.promote_types(x.dtype, torch.float32)
    return Entries(x.sum(axes, dtype=dtype) if axes else widen(x))


def _is_conv1d(module: nn.Module) -> bool:
    return type(module).__name__ == "Conv1D" and set(module._parameters) == {"weight", "bias"}


def _is_embedding(module: nn.Module) -> bool:
    return (
        computes_as(module, nn.Embedding)
        and module.max_norm is None
        and not module.scale_grad_by_freq
    )


@layer_rule(lambda module: computes_as(module, nn.Linear))
def linear(module: nn.Linear, x: Tensor, g: Tensor) -> Parts:
    """y = x Wᵀ + b, W (out, in): dW = Gᵀ X, db = Σ_t g_t."""
    parts: Parts = {"weight": Dense(positions(g), positions(x))}
    return parts if module.bias is None else parts | {"bias": sum_positions(g)}


@layer_rule(_is_conv1d)
def conv1d(module: nn.Module, x: Tensor, g: Tensor) -> Parts:
    """GPT-2's y = x W + b, W (in, out): dW = Xᵀ G, db = Σ_t g_t."""
    return {"weight": Dense(positions(x), positions(g)), "bias": sum_positions(g)}


@layer_rule(_is_embedding)
def embedding(module: nn.Embedding, ids: Tensor, g: Tensor) -> Parts:
    """y_t = W[id_t]: row v gets the sum of g_t over its tokens; the padding row gets nothing."""
    return {"weight": scattered(ids, g, module.padding_idx)}


def scattered(ids: Tensor, g: Tensor, padding: int | None) -> Scattered:
    """The gradient of looking up `ids` (B, …), g (B, …, n) at what was found."""
    if padding is not None:
        g = g.masked_fill((ids == padding).unsqueeze(-1), 0)
    return Scattered(ids.flatten(1), g.flatten(1, -2))
