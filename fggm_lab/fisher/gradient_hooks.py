"""Hooks that collect every module's input and the gradients at its outputs, for one batch.

How a batch's per-example gradients come about, for a module y = f(x; W):

1. A forward hook sees the arguments of the call, x (B, T, in), and its output y (B, T, out). It
   registers a tensor hook on y. No parameter requires a gradient, so autograd computes and stores
   no weight gradient; the first module's output is made a leaf that requires one, which is enough
   for gradients to flow to every later output.
2. `differentiate` runs `scalar.backward()`. As soon as the gradient g = ∂scalar/∂y (B, T, out) is
   known, the tensor hook turns (x, g) by the module's rule into parts of the per-example gradient
   of W, such as Σ_t g_t x_tᵀ kept as its two factors.
3. A weight that is used n times (a tied embedding and head, a layer applied twice) has n parts,
   which must be added before they are squared: parts wait until as many are there as there were
   calls. `take` then gets the parameter's name and all its parts, and the tensors are let go.

With several scalars, steps 2 and 3 are done for each of them by itself over the one forward pass.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook

from fggm_lab.fisher.module_call import Call, Layout, mapped, tensors_of
from fggm_lab.fisher.rules import Parts, Rule, local
from fggm_lab.fisher.stacked import Piece


class HookedModule:
    """A module with parameters to score, the rule for it, and its parameters' full names."""

    def __init__(self, module: nn.Module, rule: Rule, names: dict[str, str]) -> None:
        """Args:
        module: the module that owns the parameters.
        rule: turns its calls into parts of the parameters' gradients.
        names: name of a parameter in the module → its full name in the model.
        """
        self.module, self.rule, self.names = module, rule, names
        self.needs_output = rule is local


class GradientHooks:
    """The hooks of one batch, and the parts of gradients that they have collected.

    Attributes:
        layout: how many examples of how many tokens the batch has.
        calls: full name of a parameter → calls of its module in the forward pass.
        unknown: full names of parameters used in a way no rule knows: their squares have to be
            computed in another way.
    """

    def __init__(self, layout: Layout, take: Callable[[str, list[Piece]], None]) -> None:
        """Args:
        layout: the batch's numbers of examples and tokens.
        take: gets a parameter's full name and all the parts of its gradient, once per scalar.
        """
        self.layout, self._take = layout, take
        self.calls: Counter[str] = Counter()
        self.unknown: set[str] = set()
        self._waiting_parts: dict[str, list[Piece]] = defaultdict(list)
        self._multi_output_hooks: list[Any] = []
        self._forward_running = True
        self._rule_running = False

    @contextmanager
    def on(self, modules: Sequence[HookedModule]) -> Iterator[None]:
        """Hook these modules inside the `with` block.

        Args:
            modules: every module with parameters to score.

        Yields:
            Nothing; the hooks are removed at the end of the block.
        """
        # before other forward hooks: what those make of the output is not the module's own
        hooks: list[Any] = [
            hooked.module.register_forward_hook(
                self._forward_hook(hooked), prepend=True, with_kwargs=True
            )
            for hooked in modules
        ]
        try:
            yield
        finally:
            for hook in hooks + self._multi_output_hooks:
                hook.remove()

    def _forward_hook(self, hooked: HookedModule) -> Any:
        """The forward hook of one module.

        Returns:
            A hook that returns None to leave the module's output as it is, or an output in its
            place that gradients can be observed at.
        """
        names = tuple(hooked.names.values())

        def hook(module: nn.Module, args: Any, kwargs: dict[str, Any], out: Any) -> Any:
            if self._rule_running:  # a rule runs the module once more
                return None
            if self._forward_running:
                self.calls.update(names)
            if (
                not torch.is_grad_enabled()
            ):  # a checkpoint: backward repeats the call with gradients
                return None
            pending = _PendingCall(self, hooked, args, kwargs, out)
            if isinstance(out, Tensor):
                if out.requires_grad:
                    out.register_hook(pending.complete_single)
                    return None
                leaf = out.detach().requires_grad_()  # no parameter requires a gradient
                leaf.register_hook(pending.complete_single)
                return leaf.clone()  # a leaf may not be changed in place, its copy may
            # One output may be computed from another: the gradient at an alias holds only what
            # was computed from that output outside the module.
            out = mapped(out, lambda t: t.view_as(t) if t.requires_grad else t)
            outputs = [(i, t) for i, t in enumerate(tensors_of(out)) if t.requires_grad]
            if not outputs:
                self.unknown.update(names)
                return None
            pending.output_indices = tuple(i for i, _ in outputs)
            multi_hook = register_multi_grad_hook([t for _, t in outputs], pending.complete)
            self._multi_output_hooks.append(multi_hook)  # it and the graph refer to each other
            return out

        return hook

    def add_call(self, hooked: HookedModule, call: Call | None) -> None:
        """Turn a call whose gradients are known into parts.

        Args:
            hooked: the module that was called.
            call: its arguments and the gradients at its outputs; None if they were changed since,
                so that nothing can be said.
        """
        parts: Parts | None = None
        if call is not None:
            self._rule_running = True
            parts = hooked.rule(call)
            self._rule_running = False
        if parts is None:
            self.unknown.update(hooked.names.values())
            return
        for local_name, part in parts.items():
            if local_name in hooked.names:
                self._add_part(hooked.names[local_name], part)

    def _add_part(self, name: str, part: Piece) -> None:
        """Hand a parameter's parts on as soon as those of all its calls are there."""
        self._waiting_parts[name].append(part)
        if len(self._waiting_parts[name]) == self.calls[name]:
            self._hand_on(name)

    def _hand_on(self, name: str) -> None:
        parts = self._waiting_parts.pop(name)
        if name not in self.unknown:
            self._take(name, parts)

    def differentiate(self, scalars: Sequence[Tensor]) -> None:
        """Run the backward pass of each scalar by itself, after the forward pass.

        Args:
            scalars: what to differentiate; `take` gets the parts of each in turn.
        """
        self._forward_running = False
        for index, scalar in enumerate(scalars):
            if scalar.requires_grad:
                scalar.backward(retain_graph=index + 1 < len(scalars))
            with torch.no_grad():
                for name in list(self._waiting_parts):  # a use did not contribute to the scalar
                    self._hand_on(name)


class _PendingCall:
    """One call of a module that waits for the gradients at its outputs."""

    def __init__(
        self,
        hooks: GradientHooks,
        hooked: HookedModule,
        args: Any,
        kwargs: dict[str, Any],
        out: Any,
    ) -> None:
        self._hooks, self._hooked, self._args, self._kwargs = hooks, hooked, args, kwargs
        self._versions = [(t, t._version) for t in tensors_of((args, *kwargs.values()))]
        self._returned = mapped(out, Tensor.detach) if hooked.needs_output else None
        self.output_indices: tuple[int, ...] = (0,)

    def complete_single(self, gradient: Tensor) -> None:
        """Take the gradient at the only output."""
        self.complete((gradient,))

    def complete(self, gradients: Sequence[Tensor | None]) -> None:
        """Take the gradients at all outputs that can have one."""
        call = None
        if all(
            t._version == version for t, version in self._versions
        ):  # not changed in place since
            call = Call(
                self._hooked.module,
                self._args,
                self._kwargs,
                self._hooks.layout,
                self.output_indices,
                tuple(gradients),
                self._returned,
            )
        self._hooks.add_call(self._hooked, call)
