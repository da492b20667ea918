"""One rule per layer type: from a call's input and output gradient to its parameters' gradients.

A rule looks at one call of one module and returns, for each parameter of that module, its part of
every example's gradient (`fggm_lab.fisher.factors`). To teach the lab a new layer, add a function
here and decorate it with `rule`.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fggm_lab.fisher.factors import Dense, Entries, Part, Scattered, widen

Rule = Callable[[Any, Tensor, Tensor], dict[str, Part] | None]
"""(module, input (B, …), gradient at its output (B, …)) → parameter's local name → part of its
gradient; None when this call is not of a kind the rule knows."""

_RULES: list[tuple[Callable[[nn.Module], bool], Rule]] = []


def rule(applies: Callable[[nn.Module], bool]) -> Callable[[Rule], Rule]:
    """Register a rule for the modules `applies` accepts."""

    def register(function: Rule) -> Rule:
        _RULES.append((applies, function))
        return function

    return register


def rule_for(module: nn.Module) -> Rule | None:
    """The rule for `module`, or None if its parameters need the generic path."""
    own = dict(module.named_parameters(recurse=False))
    if not own or hasattr(module, "parametrizations"):
        return None
    return next((found for applies, found in _RULES if applies(module)), None)


def _computes_as(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether `module` is of `kind` and computes what `kind` does: no forward of its own."""
    return isinstance(module, kind) and type(module).forward is kind.forward


def _is_conv1d(module: nn.Module) -> bool:
    return type(module).__name__ == "Conv1D" and set(dict(module.named_parameters())) == {
        "weight",
        "bias",
    }


def _is_plain_embedding(module: nn.Module) -> bool:
    return (
        _computes_as(module, nn.Embedding)
        and getattr(module, "max_norm", None) is None
        and not getattr(module, "scale_grad_by_freq", False)
    )


def _is_norm(module: nn.Module) -> bool:
    """LayerNorm, or one of the many RMSNorms: a vector weight that multiplies the last axis."""
    if _computes_as(module, nn.LayerNorm):
        return True
    names = dict(module.named_parameters())
    return (
        type(module).__name__.endswith("RMSNorm")
        and set(names) == {"weight"}
        and names["weight"].ndim == 1
    )


def _positions(x: Tensor) -> Tensor:
    """(B, …, n) → (B, T, n); the very same tensor if it has that form."""
    return x if x.ndim == 3 else x.flatten(1, -2)


def _sum_positions(x: Tensor, ndim: int = 1) -> Entries:
    """Sum (B, …, *shape) over all but the examples and the last `ndim` axes."""
    axes = tuple(range(1, x.ndim - ndim))
    return Entries(widen(x).sum(axes) if axes else widen(x))


@rule(lambda module: _computes_as(module, nn.Linear))
def linear(module: nn.Linear, x: Tensor, g: Tensor) -> dict[str, Part]:
    """y = x Wᵀ + b, W (out, in): dW = Gᵀ X, db = Σ_t g_t."""
    parts: dict[str, Part] = {"weight": Dense(_positions(g), _positions(x))}
    return parts if module.bias is None else parts | {"bias": _sum_positions(g)}


@rule(_is_conv1d)
def conv1d(module: nn.Module, x: Tensor, g: Tensor) -> dict[str, Part]:
    """GPT-2's y = x W + b, W (in, out): dW = Xᵀ G, db = Σ_t g_t."""
    return {"weight": Dense(_positions(x), _positions(g)), "bias": _sum_positions(g)}


@rule(_is_plain_embedding)
def embedding(module: nn.Embedding, ids: Tensor, g: Tensor) -> dict[str, Part]:
    """y_t = W[id_t]: row v gets the sum of g_t over its tokens; the padding row gets nothing."""
    if module.padding_idx is not None:
        g = g.masked_fill((ids == module.padding_idx).unsqueeze(-1), 0)
    return {"weight": Scattered(ids.flatten(1), g.flatten(1, -2))}


@rule(_is_norm)
def norm(module: nn.Module, x: Tensor, g: Tensor) -> dict[str, Part] | None:
    """y = w ⊙ x̂ + b: dw = Σ_t g_t ⊙ x̂_t, db = Σ_t g_t."""
    if isinstance(module, nn.LayerNorm):
        shape = tuple(module.normalized_shape)
        normed = nn.functional.layer_norm(x, shape, eps=module.eps)
        parts: dict[str, Part] = {"weight": _sum_positions(widen(normed) * widen(g), len(shape))}
        return parts if module.bias is None else parts | {"bias": _sum_positions(g, len(shape))}
    return _copied_weight(module, x, g)


def _copied_weight(module: nn.Module, x: Tensor, g: Tensor) -> dict[str, Part] | None:
    """Give every example its own copy of the weight and let autograd differentiate each copy.

    Exact for w ⊙ x̂, (1 + w) ⊙ x̂ and whatever else multiplies the last axis, in the module's own
    arithmetic; None when the module's weight does not broadcast so.
    """
    weight: Tensor = module.get_parameter("weight").detach()
    if g.shape != x.shape or x.shape[-1] != weight.shape[0]:
        return None
    shape = (x.shape[0], *[1] * (x.ndim - 2), weight.shape[0])
    copies = weight.expand(shape).clone().requires_grad_()
    twin = copy.copy(module)
    twin._parameters = {"weight": copies}  # type: ignore[dict-item]
    with torch.enable_grad():
        out = type(module).forward(twin, x.detach())  # not twin(x): that would run the hooks
    if out.shape != g.shape:
        return None
    (gradient,) = torch.autograd.grad(out, copies, g)
    return {"weight": _sum_positions(gradient)}
