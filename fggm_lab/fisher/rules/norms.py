"""LayerNorm and the many RMSNorms: a weight that multiplies the normalised last axis."""

from collections.abc import Callable
from functools import wraps
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from fggm_lab.fisher.factors import Entries, widen
from fggm_lab.fisher.rules.layers import sum_positions
from fggm_lab.fisher.rules.registry import Parts, computes_as, layer_rule

Fact = Callable[[nn.Module], float | None]


def _once_per_module(find: Fact) -> Fact:
    """Cache what `find` returns for a module, which does not change."""
    results: WeakKeyDictionary[nn.Module, float | None] = WeakKeyDictionary()

    @wraps(find)
    def cached(module: nn.Module) -> float | None:
        if module not in results:
            results[module] = find(module)
        return results[module]

    return cached


@layer_rule(lambda module: computes_as(module, nn.LayerNorm))
def layer_norm(module: nn.LayerNorm, x: Tensor, g: Tensor) -> Parts:
    """y = w ⊙ x̂ + b: dw = Σ_t g_t ⊙ x̂_t, db = Σ_t g_t."""
    shape = tuple(module.normalized_shape)
    normed = nn.functional.layer_norm(widen(x), shape, eps=module.eps)
    parts: Parts = {"weight": sum_positions(normed.mul_(g), len(shape))}
    return parts if module.bias is None else parts | {"bias": sum_positions(g, len(shape))}


def _is_rms_norm(module: nn.Module) -> bool:
    return (
        type(module).__name__.endswith("RMSNorm")
        and set(module._parameters) == {"weight"}
        and module.get_parameter("weight").ndim == 1
        and neutral_weight(module) is not None
    )


@layer_rule(_is_rms_norm)
def rms_norm(module: nn.Module, x: Tensor, g: Tensor) -> Parts | None:
    """y = (w + c) ⊙ x̂, c = 0 in Llama's and 1 in Gemma's: dw = Σ_t g_t ⊙ x̂_t."""
    neutral = neutral_weight(module)
    if neutral is None or g.shape != x.shape:
        return None
    epsilon = plain_epsilon(module)
    if epsilon is None or x.dtype == torch.float64:  # theirs may be float32 inside, and rounds so
        return {"weight": sum_positions(_with_weight(module, widen(x), neutral).mul_(g))}
    x, g = (widen(tensor).flatten(1, -2) for tensor in (x, g))
    mean_square = torch.linalg.vector_norm(x, dim=-1).square_().div_(x.shape[-1])
    scale = mean_square.add_(epsilon).rsqrt_()
    return {"weight": Entries(torch.bmm(scale[:, None], x * g)[:, 0])}


@_once_per_module
def plain_epsilon(module: nn.Module) -> float | None:
    """ε if x̂ is x / √(mean x² + ε), seen from the module's own outputs; None if it is not."""
    neutral = neutral_weight(module)
    epsilon = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    if neutral is None or not isinstance(epsilon, float):
        return None
    probe = torch.cat(
        [_probe(module), epsilon**0.5 * _probe(module)]
    )  # ε matters in the second half
    expected = probe * (probe.square().mean(-1, keepdim=True) + epsilon).rsqrt()
    return epsilon if torch.allclose(_with_weight(module, probe, neutral), expected) else None


def _probe(module: nn.Module) -> Tensor:
    """(1, 1, n) numbers to see what a module makes of them."""
    weight = module.get_parameter("weight")
    return torch.linspace(-1, 2, weight.numel(), device=weight.device)[None, None]


@_once_per_module
def neutral_weight(module: nn.Module) -> float | None:
    """The weight that leaves x̂ as it is, seen from the outputs at weights 0, 1 and 2.

    Returns:
        1 for w ⊙ x̂, 0 for (1 + w) ⊙ x̂, None for a module that does something else.
    """
    probe = _probe(module)
    at_zero, at_one, at_two = (_with_weight(module, probe, value) for value in (0.0, 1.0, 2.0))
    normed = at_one - at_zero
    if at_one.shape != probe.shape or not torch.allclose(at_two - at_one, normed):
        return None
    if not at_zero.any():
        return 1.0
    return 0.0 if torch.allclose(at_zero, normed) else None


@torch.no_grad()
def _with_weight(module: nn.Module, x: Tensor, value: float) -> Tensor:
    """The module's own forward at x, with a weight of x's dtype whose every entry is `value`."""
    weight = torch.full_like(module.get_parameter("weight"), value, dtype=x.dtype)
    twin = object.__new__(type(module))
    twin.__dict__ = module.__dict__ | {"_parameters": {"weight": weight}}
    out: Tensor = type(module).forward(twin, x)  # not twin(x): that would run the hooks
    return out
