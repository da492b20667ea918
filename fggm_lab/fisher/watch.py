"""Hooks that meet every layer's input and the gradients at its output, for one batch."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import register_multi_grad_hook

from fggm_lab.fisher.calls import Call, Layout, mapped, tensors_of
from fggm_lab.fisher.rules import Parts, Rule, local
from fggm_lab.fisher.stacked import Piece


class Layer:
    """A module with a rule, and the full names of the parameters it owns."""

    def __init__(self, module: nn.Module, rule: Rule, names: dict[str, str]) -> None:
        self.module, self.rule, self.names = module, rule, names
        self.wants_output = rule is local


class Watch:
    """What happens in one batch: the calls of each parameter's module, and the parts they give."""

    def __init__(
        self,
        layout: Layout,
        take: Callable[[str, list[Piece]], None],
    ) -> None:
        """Args:
        layout: the batch's.
        take: gets a parameter's name and all the parts of its gradient, once per scalar.
        """
        self.layout, self._take = layout, take
        self._waiting: dict[str, list[Piece]] = defaultdict(list)
        self._shared: list[Any] = []
        self._counting = True
        self._quiet = False
        self.calls: Counter[str] = Counter()
        self.unknown: set[str] = set()
        """Parameters used in a way no rule knows: their squares have to come from elsewhere."""

    @contextmanager
    def on(self, layers: Sequence[Layer]) -> Iterator[None]:
        """Watch these layers inside; the hooks are gone after."""
        # first of all hooks: what others make of the output is not the layer's doing
        hooks: list[Any] = [
            layer.module.register_forward_hook(self._hook(layer), prepend=True, with_kwargs=True)
            for layer in layers
        ]
        try:
            yield
        finally:
            for hook in hooks + self._shared:
                hook.remove()

    def _hook(self, layer: Layer) -> Any:
        names = tuple(layer.names.values())

        def keep(module: nn.Module, args: Any, kwargs: dict[str, Any], out: Any) -> Any:
            if self._quiet:
                return None
            if self._counting:
                self.calls.update(names)
            if not torch.is_grad_enabled():  # a checkpoint: the call will come again
                return None
            met = _Met(self, layer, args, kwargs, out)
            if isinstance(out, Tensor):
                if out.requires_grad:
                    out.register_hook(met.one)
                    return None
                start = out.detach().requires_grad_()  # no parameter asks for gradients: we do
                start.register_hook(met.one)
                return start.clone()  # a leaf may not be changed in place, its copy may
            # one output may come from another: an alias's gradient is what outside made of it
            out = mapped(out, lambda t: t.view_as(t) if t.requires_grad else t)
            places = [(i, t) for i, t in enumerate(tensors_of(out)) if t.requires_grad]
            if not places:
                self.unknown.update(names)
                return None
            met.places = tuple(i for i, _ in places)
            hook = register_multi_grad_hook([tensor for _, tensor in places], met.all)
            self._shared.append(hook)  # it and the graph hold each other
            return out

        return keep

    def meet(self, layer: Layer, call: Call | None) -> None:
        """Turn a call into parts; None is one that nothing is known of any more."""
        parts: Parts | None = None
        if call is not None:
            self._quiet = True
            parts = layer.rule(call)
            self._quiet = False
        if parts is None:
            self.unknown.update(layer.names.values())
            return
        for local_name, part in parts.items():
            if local_name in layer.names:
                self._keep(layer.names[local_name], part)

    def _keep(self, name: str, part: Piece) -> None:
        """Hand a parameter's parts on as soon as all its uses are there."""
        self._waiting[name].append(part)
        if len(self._waiting[name]) == self.calls[name]:
            self._flush(name)

    def _flush(self, name: str) -> None:
        parts = self._waiting.pop(name)
        if name not in self.unknown:
            self._take(name, parts)

    def differentiate(self, scalars: Sequence[Tensor]) -> None:
        """Go back from each scalar by itself; all calls have been made."""
        self._counting = False
        for place, scalar in enumerate(scalars):
            if scalar.requires_grad:
                scalar.backward(retain_graph=place + 1 < len(scalars))
            with torch.no_grad():
                for name in list(self._waiting):  # one of its uses did not reach the scalar
                    self._flush(name)


class _Met:
    """One call that waits for the gradients at its outputs."""

    def __init__(
        self, watch: Watch, layer: Layer, args: Any, kwargs: dict[str, Any], out: Any
    ) -> None:
        self._watch, self._layer, self._args, self._kwargs = watch, layer, args, kwargs
        self._given = [(t, t._version) for t in tensors_of((args, *kwargs.values()))]
        self._returned = mapped(out, Tensor.detach) if layer.wants_output else None
        self.places: tuple[int, ...] = (0,)

    def one(self, gradient: Tensor) -> None:
        """The gradient at the only output."""
        self.all((gradient,))

    def all(self, gradients: Sequence[Tensor | None]) -> None:
        """The gradients at all outputs that can have one."""
        call = None
        if all(t._version == version for t, version in self._given):  # not changed in place since
            call = Call(
                self._layer.module,
                self._args,
                self._kwargs,
                self._watch.layout,
                self.places,
                tuple(gradients),
                self._returned,
            )
        self._watch.meet(self._layer, call)
