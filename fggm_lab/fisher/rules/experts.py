"""Mixtures of experts as transformers keeps them: one stacked weight for all experts of a layer.

Its slices are (out, in), or (in, out) in gpt-oss and Llama 4. Which tokens an expert sees differs
from example to example. Its outputs are computed once more from the tokens it saw, and each
example's gradient stays a product of two factors over its own tokens: nothing of the size
(examples × experts × out × in) ever exists.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from fggm_lab.fisher.factors import Dense, Entries
from fggm_lab.fisher.module_call import Call
from fggm_lab.fisher.rules.registry import Parts, rule
from fggm_lab.fisher.stacked import Slice, Stacked


def _is_experts(module: nn.Module) -> bool:
    """Decorated by transformers' `use_experts_implementation`, with or without biases."""
    ranks = {"gate_up_proj" if getattr(module, "has_gate", None) else "up_proj": 3, "down_proj": 3}
    if getattr(module, "has_bias", False):
        ranks |= {f"{name}_bias": 2 for name in ranks}
    return (
        getattr(module, "has_gate", None) is not None
        and {n: p.ndim for n, p in module._parameters.items() if p is not None} == ranks
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
    biases = {
        name: g.new_zeros(call.layout.batch, *bias.shape)
        for name, bias in call.module._parameters.items()
        if bias is not None and bias.ndim == 2
    }
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
        for name, gradient in ((f"{up_name}_bias", before), ("down_proj_bias", out)):
            if name in biases:
                biases[name][:, index].index_add_(0, owner, gradient)
    parts: Parts = {
        name: Stacked(call.layout.batch, tuple(slices)) for name, slices in pieces.items()
    }
    return parts | {name: Entries(gradients) for name, gradients in biases.items()}


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
    bias = module._parameters.get(f"{up_name}_bias")
    bias = None if bias is None else bias[index].detach()
    with torch.enable_grad():
        before = nn.functional.linear(x, up, bias).requires_grad_()
        hidden = module._apply_gate(before) if module.has_gate else module.act_fn(before)
        (gradient,) = torch.autograd.grad(hidden, before, g @ down)
    return hidden.detach(), gradient


def _is_repeated_experts(module: nn.Module) -> bool:
    names = set(module._parameters)
    kind = type(module).__name__
    return kind == "Llama4TextExperts" and names == {"gate_up_proj", "down_proj"}


@rule(_is_repeated_experts)
def repeated_experts(call: Call) -> Parts | None:
    """Llama 4's experts: every token goes through each, scaled by its share before it enters.

    The input is (experts · tokens, in), and slice e of a weight is W_e (in, out): y_e = h(x_e U_e)
    D_e, h(gate, up) = up ⊙ act(gate), so that dD_e = h_eᵀ g_e and dU_e = x_eᵀ (∂h/∂(x_e U_e)).

    Args:
        call: the call of the experts.

    Returns:
        The parts of both weights; None where the input has another shape.
    """
    module: Any = call.module
    arguments, (g,) = call.arguments(), call.gradients
    up, down = (module.get_parameter(n).detach() for n in ("gate_up_proj", "down_proj"))
    batch, length = call.layout.batch, call.layout.length
    if len(arguments) != 1 or g is None or len(g) != len(up) * batch * length:
        return None
    x = arguments[0].detach().view(len(up), -1, up.shape[1])
    out = g.view(len(up), -1, down.shape[2])
    with torch.enable_grad():
        before = torch.bmm(x, up).requires_grad_()
        gate, linear = before.chunk(2, dim=-1)
        hidden = linear * module.act_fn(gate)
        (inner,) = torch.autograd.grad(hidden, before, torch.bmm(out, down.transpose(1, 2)))
    everyone = torch.arange(batch, device=g.device)

    def stacked(left: Tensor, right: Tensor) -> Stacked:
        sides = (side.view(len(up), batch, length, -1) for side in (left, right))
        pairs = enumerate(zip(*sides, strict=True))
        return Stacked(batch, tuple(Slice(e, everyone, Dense(*pair)) for e, pair in pairs))

    return {"gate_up_proj": stacked(x, inner), "down_proj": stacked(hidden.detach(), out)}


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
