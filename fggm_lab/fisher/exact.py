"""The exact per-example Fisher of a batch from one backward pass that computes no weight gradient.

Forward hooks keep each layer's input, tensor hooks meet the gradient at its output, and the layer's
rule turns the two into per-example gradients in factored form, squared and summed on the spot.
"""

import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.fisher.factors import Part
from fggm_lab.fisher.likelihood import AnswerLikelihood, requiring_grad
from fggm_lab.fisher.rules import Rule, rule_for
from fggm_lab.fisher.sums import SquareSums
from fggm_lab.fisher.uses import count_uses

Loader = Callable[[Sequence[int]], dict[str, Tensor]]
"""Indices of examples → their padded batch on the model's device."""


class _Layer:
    """A module with a rule, and the full names of its parameters."""

    def __init__(self, module: nn.Module, rule: Rule, names: dict[str, str]) -> None:
        self.module, self.rule, self.names = module, rule, names


class _Watch:
    """Hooks on the ruled layers for one batch; gone when the `with` block ends."""

    def __init__(self, layers: Sequence[_Layer], sums: SquareSums, batch: int) -> None:
        self._layers, self._sums, self._batch = layers, sums, batch
        self._hooks: list[Any] = []
        self._waiting: dict[str, list[Part]] = defaultdict(list)
        self.calls: Counter[str] = Counter()
        self.unknown: set[str] = set()
        """Parameters used in a way no rule knows: their squares have to come from elsewhere."""

    def __enter__(self) -> "_Watch":
        for layer in self._layers:
            hook = self._forward_hook(layer)
            self._hooks.append(layer.module.register_forward_hook(hook, with_kwargs=True))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self._sums.cache.clear()

    def _forward_hook(self, layer: _Layer) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any, out: Any) -> Tensor | None:
            self.calls.update(layer.names.values())
            given = [*args, *kwargs.values()]
            x = given[0] if given else None
            if not isinstance(x, Tensor) or not isinstance(out, Tensor):
                self.unknown.update(layer.names.values())
                return None
            least = 2 if not x.is_floating_point() else 3
            alone = self._batch == 1 and (x.ndim < least or x.shape[0] != 1)
            if not alone and (x.ndim < least or x.shape[0] != self._batch):
                self.unknown.update(layer.names.values())
                return None
            version = x._version

            def meet(g: Tensor) -> None:
                parts = None
                if x._version == version:  # not changed in place since
                    own = (x[None], g[None]) if alone else (x, g)
                    parts = layer.rule(layer.module, *own)
                if parts is None:
                    self.unknown.update(layer.names.values())
                else:
                    self._keep({layer.names[local]: part for local, part in parts.items()})

            if out.requires_grad:
                out.register_hook(meet)
                return None
            start = out.detach().requires_grad_()  # no parameter asks for gradients: we do
            start.register_hook(meet)
            return start.clone()  # a leaf may not be changed in place, its copy may

        return hook

    def _keep(self, parts: dict[str, Part]) -> None:
        """Square a parameter's parts as soon as all its uses are there."""
        for name, part in parts.items():
            self._waiting[name].append(part)
            if len(self._waiting[name]) == self.calls[name]:
                self._flush(name)

    def _flush(self, name: str) -> None:
        parts = self._waiting.pop(name)
        if name not in self.unknown:
            self._sums.add_parts(name, parts)

    @torch.no_grad()
    def finish(self) -> None:
        """Square what still waits: parameters one of whose uses did not reach the loss."""
        for name in list(self._waiting):
            self._flush(name)


class ExactFisher:
    """Adds the exact squares of every example's gradient, batch by batch."""

    def __init__(
        self, model: PreTrainedModel, likelihood: AnswerLikelihood, sums: SquareSums
    ) -> None:
        self._model, self._likelihood, self._sums = model, likelihood, sums
        self._names = {id(p): name for name, p in sums.parameters.items()}
        self._layers = self._find_layers()

    def _find_layers(self) -> list[_Layer]:
        layers = []
        for module in self._model.modules():
            rule = rule_for(module)
            own = {
                local: self._names[id(p)]
                for local, p in module.named_parameters(recurse=False)
                if id(p) in self._names
            }
            if rule is not None and own:
                layers.append(_Layer(module, rule, own))
        return layers

    def check(self, batch: dict[str, Tensor]) -> None:
        """Find the parameters whose uses the rules do not all see.

        A weight may be used outside its module (`F.linear(x, self.embed.weight)`); autograd's graph
        of one forward pass tells, at no more than that pass.

        Args:
            batch: one example.
        """
        parameters = self._sums.parameters
        with requiring_grad(self._model, parameters.values()):
            with _Watch(self._layers, self._sums, len(batch["labels"])) as watch:
                value = self._likelihood(batch)
            uses = count_uses(value, parameters.values())
        self._go_generic(n for n, p in parameters.items() if uses[id(p)] > watch.calls[n])

    def _go_generic(self, names: Iterable[str]) -> None:
        new = sorted(set(names) - self._sums.generic)
        self._sums.generic.update(new)
        if new:
            warnings.warn(
                f"no rule covers {', '.join(new)}: scored exactly all the same, but with one "
                "backward pass per example, which is slow",
                stacklevel=2,
            )

    def add(self, load: Loader, indices: Sequence[int]) -> Tensor:
        """Add the squares of some examples.

        Args:
            load: makes a padded batch of the examples with given indices.
            indices: the examples.

        Returns:
            Their summed log-likelihood.
        """
        with (
            requiring_grad(self._model, ()),
            _Watch(self._layers, self._sums, len(indices)) as watch,
        ):
            watch.unknown.update(self._sums.generic)
            value = self._likelihood(load(indices))
            if value.requires_grad:
                value.backward()
            watch.finish()
        self._go_generic(watch.unknown)
        if watch.unknown:
            self._add_singly(sorted(watch.unknown), (load([index]) for index in indices))
        return value.detach()

    def _add_singly(self, names: list[str], examples: Iterable[dict[str, Tensor]]) -> None:
        """Autograd on one example at a time, for parameters no rule covers."""
        parameters = [self._sums.parameters[name] for name in names]
        with requiring_grad(self._model, parameters):
            for example in examples:
                value = self._likelihood(example)
                gradients = torch.autograd.grad(value, parameters, allow_unused=True)
                for name, gradient in zip(names, gradients, strict=True):
                    if gradient is not None:
                        self._sums.add_gradient(name, gradient)
