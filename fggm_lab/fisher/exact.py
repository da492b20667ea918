"""The exact per-example Fisher of a batch from one backward pass that computes no weight gradient.

Forward hooks keep each layer's input, tensor hooks meet the gradient at its output (`Watch`), and
the layer's rule turns the two into per-example gradients in factored form, squared and summed on
the spot.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.fisher.calls import Layout, tensors_of
from fggm_lab.fisher.checkpoints import checkpointed, checkpointing
from fggm_lab.fisher.likelihood import AnswerLikelihood, requiring_grad
from fggm_lab.fisher.rules import local, rule_for
from fggm_lab.fisher.stacked import Piece
from fggm_lab.fisher.sums import SquareSums
from fggm_lab.fisher.uses import count_uses
from fggm_lab.fisher.watch import Layer, Watch
from fggm_lab.heap import keep_freed_memory
from fggm_lab.models.encoding import IGNORED

Loader = Callable[[Sequence[int]], dict[str, Tensor]]
"""Indices of examples → their padded batch on the model's device."""

Objective = Callable[[dict[str, Tensor]], Sequence[Tensor]]
"""A batch → scalars, each a sum of one term per example. Every scalar is differentiated by itself,
and an example's score sums the squares of its gradients."""

PROBE = 16
"""How many tokens `check` looks at."""


class ExactFisher:
    """Adds the exact squares of every example's gradient, batch by batch."""

    def __init__(self, model: PreTrainedModel, objective: Objective, sums: SquareSums) -> None:
        """Args:
        model: a causal language model of transformers, in evaluation mode.
        objective: what to differentiate.
        sums: where the squares go, and whose parameters are scored.
        """
        keep_freed_memory()
        self._model, self._objective, self._sums = model, objective, sums
        self._names = {id(p): name for name, p in sums.parameters.items()}
        self._layers = self._find_layers()
        self._parameters = list(model.parameters())
        self._checkpointed = checkpointed(model)

    def _find_layers(self) -> list[Layer]:
        layers = []
        for module in self._model.modules():
            own = {
                name: self._names[id(p)]
                for name, p in module._parameters.items()
                if id(p) in self._names
            }
            if own and not hasattr(module, "parametrizations"):
                layers.append(Layer(module, rule_for(module) or local, own))
        return layers

    def check(self, batch: dict[str, Tensor]) -> None:
        """Find the parameters whose uses the rules do not all see, or not rightly.

        A weight may be used outside its module (`F.linear(x, self.embed.weight)`), and a module may
        lay out or mix examples in a way of its own; two short passes over two texts tell.

        Args:
            batch: one example.
        """
        texts = _probe(batch)
        likelihood = AnswerLikelihood(self._model)
        self._go_generic(self._used_elsewhere(likelihood, texts))
        self._go_generic(self._mixing(likelihood, texts))

    def _used_elsewhere(self, likelihood: AnswerLikelihood, texts: dict[str, Tensor]) -> list[str]:
        """Parameters with uses outside the calls of the modules that own them."""
        parameters = self._sums.parameters
        inside: Counter[int] = Counter()

        def hook(module: nn.Module, args: Any, kwargs: dict[str, Any], out: Any) -> None:
            given = tensors_of((*args, *kwargs.values()))
            own = module.parameters(recurse=False)
            inside.update(count_uses(tensors_of(out), own, given))

        hooks = [
            layer.module.register_forward_hook(hook, prepend=True, with_kwargs=True)
            for layer in self._layers
        ]
        try:
            with requiring_grad(self._parameters, parameters.values()):
                uses = count_uses([likelihood(texts)], parameters.values())
        finally:
            for each in hooks:
                each.remove()
        return [name for name, p in parameters.items() if uses[id(p)] > inside[id(p)]]

    def _mixing(self, likelihood: AnswerLikelihood, texts: dict[str, Tensor]) -> list[str]:
        """Parameters whose parts show a gradient for a text that has no answer."""
        mixed: set[str] = set()

        def take(name: str, parts: Sequence[Piece]) -> None:
            if (self._sums.squares(name, parts)[1:] > 0).any():  # not a number is no sign of it
                mixed.add(name)

        labels = texts["labels"].clone()
        labels[1:] = IGNORED
        watch = Watch(Layout(*labels.shape), take)
        with requiring_grad(self._parameters, ()), watch.on(self._layers):
            watch.differentiate([likelihood(texts | {"labels": labels})])
        self._sums.cache.clear()
        return [*(mixed | watch.unknown)]

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
            The objective's scalars, summed.
        """
        batch = load(indices)
        watch = Watch(Layout(*batch["labels"].shape), self._sums.add_parts)
        watch.unknown.update(self._sums.generic)
        self._sums.open_batch(len(indices))
        try:
            with (
                requiring_grad(self._parameters, ()),
                watch.on(self._layers),
                checkpointing(self._checkpointed),
            ):
                values = list(self._objective(batch))
                watch.differentiate(values)
        finally:
            self._sums.cache.clear()
        self._sums.close_batch()
        self._go_generic(watch.unknown)
        if watch.unknown:
            self._add_singly(sorted(watch.unknown), (load([index]) for index in indices))
        return torch.stack([value.detach() for value in values]).sum()

    def _add_singly(self, names: list[str], examples: Iterable[dict[str, Tensor]]) -> None:
        """Autograd on one example at a time, for parameters no rule covers."""
        parameters = [self._sums.parameters[name] for name in names]
        with requiring_grad(self._parameters, parameters):
            for example in examples:
                self._sums.open_batch(1)
                for value in (values := list(self._objective(example))):
                    gradients = torch.autograd.grad(
                        value, parameters, allow_unused=True, retain_graph=value is not values[-1]
                    )
                    for name, gradient in zip(names, gradients, strict=True):
                        if gradient is not None:
                            self._sums.add_gradient(name, gradient)
                self._sums.close_batch()


def _probe(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The beginning of a text, and the same backwards, each token but the first to be predicted."""
    ids = batch["input_ids"][:1, :PROBE]
    if ids.shape[1] < 3:  # as many tokens as texts would leave the axes undistinguished
        ids = ids.repeat(1, 3)[:, :3]
    texts = torch.cat([ids, ids.flip(1)])
    return {"input_ids": texts, "attention_mask": torch.ones_like(texts), "labels": texts}
