"""Mixtures of experts as transformers keeps them: one stacked weight (experts, out, in) per layer.

Which tokens an expert sees differs from example to example. Its outputs are computed once more from
the tokens it saw, and each example's gradient stays a product of two factors over its own tokens:
nothing of the size (examples × experts × out × in) ever exists.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fggm_lab.fisher.factors import Dense
from fggm_lab.fisher.module_call import Call
from fggm_lab.fisher.rules.registry import Parts, rule
from fggm_lab.fisher.stacked import Slice, Stacked


def _is_experts(module: nn.Module) -> bool:
    """Decorated by transformers' `use_experts_implementation`, without biases."""
    names = {"gate_up_proj" if getattr(module, "has_gate", None) else "up_proj", "down_proj"}
    return (
        getattr(module, "has_gate", None) is not None
        and set(module._parameters) == names
        and all(p is not None and p.ndim == 3 for p in module._parameters.values())
        and not getattr(module, "has_post_expert_norm", False)
        and not getattr(module, "_is_expert_parallel", False)
        and "forward" not in vars(module)
    )


@rule(_is_experts)
def experts(call: Call) -> Parts | None:
    """y_n = Σ_k p_nk D_e(h(U_e x_n)), e the k-th expert of token n: dD_e and dU_e by example."""
    arguments, (g,) = call.arguments(), call.gradients
    if len(arguments) != 3 or g is None or g.shape != arguments[0].shape:
        return None
    x, expert_indices, shares = arguments
    tokens = call.layout.batch * call.layout.length
    if x.ndim != 2 or (len(x) != tokens and call.layout.batch > 1):
        return None
    up_name = "gate_up_proj" if call.module.has_gate else "up_proj"
    pieces: dict[str, list[Slice]] = {up_name: [], "down_proj": []}
    for index in expert_indices.unique().tolist():
        token, rank = torch.where(expert_indices == index)
        tokens_in = x[token].detach()
        out = g[token] * shares[token, rank, None].detach().to(g.dtype)
        hidden, before = _inside(call.module, up_name, index, tokens_in, out)
        owner = torch.div(token, len(x) // call.layout.batch, rounding_mode="floor")
        for name, left, right in ((up_name, before, tokens_in), ("down_proj", out, hidden)):
            if call.module.is_transposed:
                left, right = right, left
            examples, padded = by_example(owner, (left, right))
            pieces[name].append(Slice(index, examples, Dense(*padded)))
    return {name: Stacked(call.layout.batch, tuple(slices)) for name, slices in pieces.items()}


def _inside(module: Any, up_name: str, index: int, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """One expert's hidden activations, and the gradient at what comes before its activation.

    Args:
        module: the experts.
        up_name: the weight that leads to the activation.
        index: the expert.
        x: (n, in) the inputs of its n tokens.
        g: (n, out) the gradient at its output.

    Returns:
        The hidden activations (n, hidden), and the gradient (n, gate and up) before the activation.
    """
    up, down = (module.get_parameter(name)[index].detach() for name in (up_name, "down_proj"))
    if module.is_transposed:
        up, down = up.T, down.T
    with torch.enable_grad():
        before = nn.functional.linear(x, up).requires_grad_()
        hidden = module._apply_gate(before) if module.has_gate else module.act_fn(before)
        (gradient,) = torch.autograd.grad(hidden, before, g @ down)
    return hidden.detach(), gradient


def by_example(owner: Tensor, rows: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Rows of many examples → one padded block per example that has any.

    Args:
        owner: (n,) each row's example, ascending.
        rows: tensors (n, width).

    Returns:
        the examples (b,), ascending, and per tensor (b, most rows of an example, width), zeros at
        the end where an example has fewer.
    """
    examples, inverse, counts = owner.unique(return_inverse=True, return_counts=True)
    starts = counts.cumsum(0) - counts
    position = torch.arange(len(owner), device=owner.device) - starts[inverse]
    longest = int(counts.max())
    padded = []
    for tensor in rows:
        block = tensor.new_zeros(len(examples), longest, tensor.shape[1])
        block[inverse, position] = tensor
        padded.append(block)
    return examples, padded
