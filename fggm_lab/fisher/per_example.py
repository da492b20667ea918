"""The exact per-example Fisher of a batch from one backward pass that computes no weight gradient.

Forward hooks keep each module's input, tensor hooks get the gradient at its output
(`GradientHooks`), and the module's rule turns the two into per-example gradients in factored form,
which are squared and summed at once.
"""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.fisher.gradient_checkpoints import checkpointed, checkpointing
from fggm_lab.fisher.gradient_hooks import GradientHooks, HookedModule
from fggm_lab.fisher.likelihood import AnswerLikelihood
from fggm_lab.fisher.module_call import Layout, tensors_of
from fggm_lab.fisher.parameter_uses import count_uses
from fggm_lab.fisher.rules import local, rule_for
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.fisher.stacked import Piece
from fggm_lab.models.encoding import IGNORED
from fggm_lab.models.modes import requiring_grad

Loader = Callable[[Sequence[int]], dict[str, Tensor]]
"""Indices of examples → their padded batch on the model's device."""

Objective = Callable[[dict[str, Tensor]], Sequence[Tensor]]
"""A batch → scalars, each a sum of one term per example. Every scalar is differentiated by itself,
and an example's score sums the squares of its gradients."""

_NAMED = 4
"""How many parameters a warning names."""

PROBE = 16
"""How many tokens `check` looks at; half as many under a memory budget."""

_ROUNDING = {torch.float64: (1e-5, 1e-9), torch.float32: (1e-2, 1e-5)}
"""How far a rule's gradient norms may be off autograd's: relative to them, and to the largest."""


class PerExampleFisher:
    """Adds the exact squares of every example's gradient, batch by batch."""

    def __init__(self, model: PreTrainedModel, objective: Objective, sums: SquareSums) -> None:
        """Args:
        model: a causal language model of transformers, in evaluation mode.
        objective: what to differentiate.
        sums: where the squares go, and whose parameters are scored.
        """
        self._model, self._objective, self._sums = model, objective, sums
        self._names = {id(p): name for name, p in sums.parameters.items()}
        self._layers = self._find_layers()
        self._parameters = list(model.parameters())
        self._checkpointed = checkpointed(model)

    def _find_layers(self) -> list[HookedModule]:
        layers = []
        for module in self._model.modules():
            local_names = {
                name: self._names[id(p)]
                for name, p in module._parameters.items()
                if id(p) in self._names and not _registered_below(module, p)
            }
            if local_names and not hasattr(module, "parametrizations"):
                layers.append(HookedModule(module, rule_for(module) or local, local_names))
        return layers

    def check(self, batch: dict[str, Tensor], memory_budget: int | None = None) -> None:
        """Compare the rules with plain autograd on a short text, before anything is scored.

        Two short passes over two texts, of which only the first has an answer, tell for every
        parameter whether its rule can be trusted with this model:

        1. By autograd: the gradient of the first text's likelihood, and how often the computation
           used the parameter. A use outside the module that owns it (`F.linear(x,
           self.embed.weight)`) escapes the module's rule.
        2. By the rules: the squares of both texts. Those of the second must be 0, else the module
           mixes the examples of a batch, or lays them out in a way of its own. Those of the first
           must be the squares of the gradient.

        Parameters that fail are scored by autograd, one example at a time, with a warning.

        Args:
            batch: one example, whose first tokens become the texts.
            memory_budget: the most bytes that the check may take, None for any number. A parameter
                whose gradient alone takes more than a quarter of it is not compared.
        """
        texts = _probe(batch, PROBE if memory_budget is None else PROBE // 2)
        texts["labels"][1:] = IGNORED
        likelihood = AnswerLikelihood(self._model)
        used_elsewhere, expected = self._by_autograd(likelihood, texts, memory_budget)
        mixed, squares = self._by_rules(likelihood, texts)
        scale = max((float(row.norm()) for row in expected.values()), default=0.0)
        different = [
            name
            for name, row in expected.items()
            if not _agree(squares.get(name, torch.zeros_like(row)), row, scale, self._model.dtype)
        ]
        self._go_generic([*used_elsewhere, *mixed, *different])

    def _by_autograd(
        self, likelihood: AnswerLikelihood, texts: dict[str, Tensor], memory_budget: int | None
    ) -> tuple[list[str], dict[str, Tensor]]:
        """What autograd alone says of a batch in which only the first text has an answer.

        Returns:
            The parameters with uses outside the calls of the modules that own them, and for each
            parameter the root of its unit scores (units,) on the first text.
        """
        parameters = self._sums.parameters
        inside: Counter[int] = Counter()
        max_bytes = math.inf  # a quarter of what the sums leave: activations need room, too
        if memory_budget is not None:
            max_bytes = max(0, memory_budget - self._sums.bytes) / 4

        def hook(module: nn.Module, args: Any, kwargs: dict[str, Any], out: Any) -> None:
            inputs = tensors_of((*args, *kwargs.values()))
            parameters_here = module.parameters(recurse=False)
            inside.update(count_uses(tensors_of(out), parameters_here, inputs))

        hooks = [
            layer.module.register_forward_hook(hook, prepend=True, with_kwargs=True)
            for layer in self._layers
        ]
        try:
            with requiring_grad(self._parameters, parameters.values()):
                value = likelihood(texts)
                uses = count_uses([value], parameters.values())
                self._sums.unreached.update(n for n, p in parameters.items() if not uses[id(p)])
                roots = self._norms(value, max_bytes)
        finally:
            for handle in hooks:
                handle.remove()
        return [name for name, p in parameters.items() if uses[id(p)] > inside[id(p)]], roots

    def _norms(self, value: Tensor, max_bytes: float) -> dict[str, Tensor]:
        """The norms (units,) of the gradients of `value`, each let go of as soon as it is there.

        Args:
            value: a scalar.
            max_bytes: larger parameters are left out.

        Returns:
            Parameter → the norm of its gradient in every unit; 0, of no shape, where the value does
            not depend on it.
        """
        parameters = {n: p for n, p in self._sums.parameters.items() if p.nbytes <= max_bytes}
        norms = {name: torch.zeros(()) for name in parameters}

        def hook_for(name: str) -> Callable[[Tensor], Tensor]:
            def hook(gradient: Tensor) -> Tensor:
                norms[name] = self._sums.gradient_norms(name, gradient)
                return gradient.new_zeros(()).expand_as(gradient)  # one number in its place

            return hook

        hooks = [p.register_hook(hook_for(name)) for name, p in parameters.items()]
        try:
            if parameters:
                torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
        finally:
            for handle in hooks:
                handle.remove()
        return norms

    def _by_rules(
        self, likelihood: AnswerLikelihood, texts: dict[str, Tensor]
    ) -> tuple[set[str], dict[str, Tensor]]:
        """What the rules say of the same batch.

        Returns:
            The parameters that show a gradient for a text without an answer, and for each parameter
            that a rule scored the root of its unit scores (units,) on the first text.
        """
        mixed: set[str] = set()
        squares: dict[str, Tensor] = {}

        def take(name: str, parts: Sequence[Piece]) -> None:
            rows = self._sums.squares(name, parts)
            if (rows[1:] > 0).any():  # not a number is no sign of it
                mixed.add(name)
            squares[name] = squares.get(name, 0) + rows[0]

        hooks = GradientHooks(Layout(*texts["labels"].shape), take)
        with requiring_grad(self._parameters, ()), hooks.on(self._layers):
            hooks.differentiate([likelihood(texts)])
        self._sums.cache.clear()
        roots = {name: row.clamp(min=0).sqrt() for name, row in squares.items()}
        return mixed | hooks.unknown, roots

    def _go_generic(self, names: Iterable[str]) -> None:
        new = sorted(set(names) - self._sums.generic)
        self._sums.generic.update(new)
        if new:
            more = f" and {len(new) - _NAMED} more parameters" if len(new) > _NAMED else ""
            warnings.warn(
                f"no rule covers {', '.join(new[:_NAMED])}{more}: scored exactly all the same, but "
                "with one backward pass per example, which is slow (scores.info.extra['generic'] "
                "names them all)",
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
        hooks = GradientHooks(Layout(*batch["labels"].shape), self._sums.add_parts)
        hooks.unknown.update(self._sums.generic)
        self._sums.open_batch(len(indices))
        try:
            with (
                requiring_grad(self._parameters, ()),
                hooks.on(self._layers),
                checkpointing(self._checkpointed),
            ):
                values = list(self._objective(batch))
                hooks.differentiate(values)
        finally:
            self._sums.cache.clear()
        self._sums.close_batch()
        self._go_generic(hooks.unknown)
        if hooks.unknown:
            self._add_singly(sorted(hooks.unknown), (load([index]) for index in indices))
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


def _probe(batch: dict[str, Tensor], length: int) -> dict[str, Tensor]:
    """The beginning of a text and its reverse; every token but the first is to be predicted."""
    ids = batch["input_ids"][:1, :length]
    if ids.shape[1] < 3:  # as many tokens as texts would leave the axes undistinguished
        ids = ids.repeat(1, 3)[:, :3]
    texts = torch.cat([ids, ids.flip(1)])
    return {
        "input_ids": texts,
        "attention_mask": torch.ones_like(texts),
        "labels": texts.clone(),
    }


def _registered_below(module: nn.Module, parameter: nn.Parameter) -> bool:
    """Whether a module inside `module` registers the parameter, too, as BERT's heads do.

    The inner module is the one that uses it.

    Returns:
        True if an inner module registers the same parameter.
    """
    return any(
        parameter is other
        for inner in module.modules()
        if inner is not module
        for other in inner._parameters.values()
    )


def _agree(squares: Tensor, expected: Tensor, scale: float, dtype: torch.dtype) -> bool:
    """Whether two gradients, given by the norms of their units, are equal up to rounding.

    Args:
        squares: (units,) the norms by a rule.
        expected: (units,) the norms by autograd.
        scale: the largest norm of any parameter's gradient. A gradient that is zero in exact
            arithmetic, such as that of an attention's key bias, is rounding relative to it.
        dtype: the model's.

    Returns:
        True if they are equal up to rounding.
    """
    relative, absolute = _ROUNDING.get(dtype, (0.05, 0.01))
    difference = float((squares - expected).norm())
    if not math.isfinite(difference):  # a fault of the numbers, which scoring reports
        return True
    return difference <= relative * float(expected.norm()) + absolute * scale
