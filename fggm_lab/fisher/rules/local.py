"""Exact gradients of a module that no written rule covers, by running the module once more.

The module is run again on the arguments of the call, and autograd continues backwards from the
gradients at its outputs. Where its own weights only enter linear maps and look-ups (a router, an
embedding that scales or shifts), one run of the whole batch is enough; otherwise it is run example
by example.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from fggm_lab.fisher.factors import Dense, Entries, Part
from fggm_lab.fisher.module_call import Call, mapped, tensors_of
from fggm_lab.fisher.rules.layers import positions, scattered, sum_positions
from fggm_lab.fisher.rules.registry import Parts

_ROUNDING = 0.03
"""How far a run may be off another in bfloat16; another example's result is much farther."""


def local(call: Call) -> Parts | None:
    """The batch at once where that is possible, else example by example, else None."""
    parts = traced(call)
    return rerun(call) if parts is None else parts


@dataclass(frozen=True, slots=True)
class _Use:
    """A linear map or look-up of a module's own weight: what went in and what came out."""

    name: str
    x: Tensor
    out: Tensor
    padding: int | None = None
    bias: str | None = None


class _Trace(TorchFunctionMode):
    """Cuts autograd's graph at every linear map and look-up of the given parameters."""

    def __init__(self, names: dict[int, str]) -> None:
        super().__init__()
        self._names = names
        self.uses: list[_Use] = []
        self.escaped = False
        """Whether a parameter also entered something else."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        touched = [self._names[id(a)] for a in (*args, *kwargs.values()) if id(a) in self._names]
        if not touched or not isinstance(out, Tensor):
            return out
        use = self._use(func, args, kwargs, out.detach().requires_grad_())
        if use is None or touched != [use.name, use.bias][: len(touched)]:
            self.escaped = True
            return out
        self.uses.append(use)
        return use.out.clone()  # a leaf may not be changed in place, its copy may

    def _use(self, func: Any, args: Any, kwargs: dict[str, Any], out: Tensor) -> _Use | None:
        weight = self._names.get(id(args[1])) if len(args) > 1 else None
        if weight is None or args[1].ndim != 2:
            return None
        if func is nn.functional.linear:
            bias = args[2] if len(args) > 2 else kwargs.get("bias")
            return _Use(weight, args[0], out, bias=self._names.get(id(bias)))
        plain = not kwargs.get("max_norm") and not kwargs.get("scale_grad_by_freq")
        if func is nn.functional.embedding and len(args) == 2 and plain:
            return _Use(weight, args[0], out, padding=kwargs.get("padding_idx"))
        return None


def traced(call: Call) -> Parts | None:
    """One run of the batch; None if a weight enters more than one linear map or look-up."""
    names = {id(p): name for name, p in call.module.named_parameters(recurse=False)}
    trace = _Trace(names)
    with torch.enable_grad(), trace:
        out = call.module(*mapped(call.args, Tensor.detach), **mapped(call.kwargs, Tensor.detach))
    used = [name for use in trace.uses for name in (use.name, use.bias) if name is not None]
    if trace.escaped or len(used) != len(set(used)):
        return None
    parts: Parts = {}
    for use, gradient in zip(
        trace.uses, _backward(call, out, [use.out for use in trace.uses]), strict=True
    ):
        if gradient is None:
            continue
        x = call.layout.split(use.x, 3 if use.x.is_floating_point() else 2)
        g = call.layout.split(gradient, 3)
        if x is None or g is None:
            return None
        if x.is_floating_point():
            parts[use.name] = Dense(positions(g), positions(x))
        else:
            parts[use.name] = scattered(x, g, use.padding)
        if use.bias is not None:
            parts[use.bias] = sum_positions(g)
    return parts


def rerun(call: Call) -> Parts | None:
    """Run the module once per example, with autograd for its weights.

    This needs memory for one copy of the module's own weights per example.

    Args:
        call: the call of the whole batch.

    Returns:
        The parts; None for weights of rank 3 and more, or if an example by itself gives another
        output than within the batch.
    """
    parameters = dict(call.module.named_parameters(recurse=False))
    if any(p.ndim > 2 for p in parameters.values()):
        return None
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    by_name: dict[str, list[Tensor]] = {name: [] for name in parameters}
    for index in range(call.layout.batch):
        single = only(call, index)
        with torch.enable_grad():
            out = functional_call(call.module, leaves, single.args, single.kwargs)
        if not _same(out, single.returned):
            return None
        for name, gradient in zip(
            parameters, _backward(single, out, [*leaves.values()]), strict=True
        ):
            by_name[name].append(
                torch.zeros_like(parameters[name]) if gradient is None else gradient
            )
    return {name: _part(torch.stack(gradients)) for name, gradients in by_name.items()}


def _same(result: Any, expected: Any) -> bool:
    """Whether one example by itself gives what it gave within the batch, up to rounding."""
    pairs = list(zip(tensors_of(result), tensors_of(expected), strict=True))
    return all(
        single.shape == batched.shape and (single - batched).norm() <= _ROUNDING * batched.norm()
        for single, batched in pairs
        if batched.is_floating_point()
    )


def _part(gradients: Tensor) -> Part:
    """Gradients written out, (B, …): a matrix is the identity times itself."""
    if gradients.ndim < 3:
        return Entries(gradients)
    batch, rows, _ = gradients.shape
    identity = torch.eye(rows, dtype=gradients.dtype, device=gradients.device)
    return Dense(identity.expand(batch, rows, rows), gradients)


def only(call: Call, index: int) -> Call:
    """The call one example would have made by itself; what is not the examples' own, it keeps."""

    rows = {1: 0, call.layout.batch: 1, call.layout.batch * call.layout.length: call.layout.length}

    def part(tensor: Tensor) -> Tensor:
        count = rows.get(len(tensor), 0) if tensor.ndim else 0
        return tensor.detach()[index * count : (index + 1) * count] if count else tensor.detach()

    return Call(
        call.module,
        mapped(call.args, part),
        mapped(call.kwargs, part),
        call.layout,
        call.outputs,
        mapped(call.gradients, part),
        mapped(call.returned, part),
    )


def _backward(call: Call, out: Any, leaves: list[Tensor]) -> tuple[Tensor | None, ...]:
    """The gradients at `leaves` that the call's gradients at its outputs cause."""
    outs = list(tensors_of(out))
    pairs = [
        (outs[index], gradient)
        for index, gradient in zip(call.outputs, call.gradients, strict=True)
        if gradient is not None and outs[index].requires_grad
    ]
    if not pairs or not leaves:
        return (None,) * len(leaves)
    return torch.autograd.grad(
        [out for out, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True
    )
