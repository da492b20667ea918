"""Layers whose weight gradient is computed for the active rows alone.

Each function here stands in for a layer's forward. Its output and the gradient at its input are the
layer's own; the weight gets no gradient, and `active`, which holds the weight's active rows, gets
dW[rows] = G[:, rows]ᵀ X: the kept share of the work and of the memory.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from transformers.pytorch_utils import Conv1D


class ActiveForward(partial[Tensor]):
    """A function of a module, and of what else it needs, in the place of the module's forward.

    A copy of the module, deep or pickled, gets the forward of its class: nobody would ever close
    the copy's, and its weights would train no more.

    Attributes:
        active_units_only: tells who reads gradients that these are not the whole weight's.
    """

    active_units_only: ClassVar[bool] = True

    def __reduce__(self) -> Any:
        return getattr, (self.args[0], "forward")


def active_forward(
    module: nn.Module, active: nn.Parameter, index: Tensor, axis: int
) -> ActiveForward | None:
    """A forward for `module` that differentiates only the active units of its weight.

    Args:
        module: the layer.
        active: the weight's active units, shaped as the weight but for their number.
        index: which units they are, (k,), on the weight's device.
        axis: the axis of the weight along which they lie.

    Returns:
        None where the lab has no such forward, as for a module with a forward of its own.
    """
    kind = type(module)
    forward = module.__dict__.get("forward")  # in a copy, the class's
    of_class = forward is None or getattr(forward, "__func__", None) is kind.forward
    if not of_class or hasattr(module, "parametrizations"):
        return None
    if kind.forward is nn.Linear.forward:
        return ActiveForward(_product, module, _Linear(active, index, axis == 0, transposed=False))
    if kind is Conv1D:
        return ActiveForward(_product, module, _Linear(active, index, axis == 1, transposed=True))
    if kind.forward is nn.Embedding.forward and axis == 0 and not _has_own_gradient(module):
        assert isinstance(module, nn.Embedding)
        # Frozen rows' gradients go to one row too many, which is cut off: no size depends on data.
        row_of_id = torch.full((module.num_embeddings,), len(index), device=index.device)
        row_of_id[index] = torch.arange(len(index), device=index.device)
        if module.padding_idx is not None:
            row_of_id[module.padding_idx] = len(index)
        return ActiveForward(_embedding, module, active, row_of_id)
    return None


def _has_own_gradient(module: nn.Module) -> bool:
    return bool(
        getattr(module, "max_norm", None)
        or getattr(module, "scale_grad_by_freq", False)
        or getattr(module, "sparse", False)
    )


@dataclass(frozen=True)
class _Linear:
    """Which units of a linear layer's weight move.

    Attributes:
        active, index: as in `active_forward`.
        outputs: whether units are outputs (rows of G and W), or inputs.
        transposed: whether the weight is stored (in, out).
    """

    active: nn.Parameter
    index: Tensor
    outputs: bool
    transposed: bool


def _product(module: Any, units: _Linear, input: Tensor) -> Tensor:
    """y = x Wᵀ + b, or, transposed, x W + b."""
    weight, bias, device = module.weight, module.bias, input.device.type
    if torch.is_autocast_enabled(device):  # autocast does not look into custom functions
        dtype = torch.get_autocast_dtype(device)
        input, weight = input.to(dtype), weight.to(dtype)
        bias = None if bias is None else bias.to(dtype)
    out: Tensor = _ActiveLinear.apply(
        input, weight, bias, units.active, units.index, units.outputs, units.transposed
    )
    return out


def _embedding(module: Any, active: nn.Parameter, row_of_id: Tensor, input: Tensor) -> Tensor:
    """y_t = W[id_t]."""
    out: Tensor = _ActiveEmbedding.apply(input, module.weight, active, row_of_id)
    return out


class _ActiveLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        active: Tensor,
        index: Tensor,
        outputs: bool,
        transposed: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, index)
        ctx.kind = (outputs, transposed, active.dtype)
        return nn.functional.linear(x, weight.t() if transposed else weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, index = ctx.saved_tensors
        outputs, transposed, dtype = ctx.kind
        needs_x, _, needs_bias, needs_active, *_ = ctx.needs_input_grad
        flat = g.flatten(0, -2)
        grad = None
        if needs_active:
            left, right = flat, x.flatten(0, -2)
            if outputs:
                left = left.index_select(1, index)
            else:
                right = right.index_select(1, index)
            grad = (right.t() @ left if transposed else left.t() @ right).to(dtype)
        back = g @ (weight.t() if transposed else weight) if needs_x else None
        return back, None, flat.sum(0) if needs_bias else None, grad, None, None, None


class _ActiveEmbedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, ids: Tensor, weight: Tensor, active: Tensor, row_of_id: Tensor) -> Tensor:
        ctx.save_for_backward(ids, row_of_id)
        ctx.like = (active.shape, active.dtype)
        return nn.functional.embedding(ids, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        ids, row_of_id = ctx.saved_tensors
        (rows, width), dtype = ctx.like
        grad = torch.zeros(rows + 1, width, dtype=dtype, device=g.device)
        grad.index_add_(0, row_of_id[ids.flatten()], g.flatten(0, -2).to(dtype))
        return None, None, grad[:rows], None
