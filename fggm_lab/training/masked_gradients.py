"""Training under a mask the plain way: whole gradients, masked, and frozen units put back."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from fggm_lab.masks import Mask


class MaskedGradients:
    """A model whose whole gradients are computed and then masked, until the `with` block ends.

    Serves masks of any kind, and methods that want to see whole gradients; `ActiveRows` does the
    same for masks by unit in less time and memory. A zero gradient is not enough to freeze a unit:
    decoupled weight decay, momentum and an optimiser's own rescaling still move it. So frozen units
    are put back after every step; parameters that the mask leaves out, or lets move whole, cost
    nothing.
    """

    def __init__(self, model: nn.Module, mask: Mask | None) -> None:
        """Args:
        model: the model.
        mask: which units may move; None lets all.

        Raises:
            ModelError: the mask was made for another model.
        """
        self._model = model
        self._handles: list[RemovableHandle] = []
        self.change(mask)

    def change(self, mask: Mask | None) -> None:
        """Train under another mask from here on; what it freezes stays as it is now.

        Raises:
            ModelError: the mask was made for another model.
        """
        self._mask = mask
        self._frozen_values: list[tuple[nn.Parameter, Tensor, Tensor]] = []
        if mask is None:
            return
        mask.check(self._model)
        for _, parameter, frozen in mask.frozen(self._model):
            self._frozen_values.append((parameter, frozen, parameter.detach().clone()))

    def renew(self) -> None:
        """Hold frozen units from here on at the values they have now."""
        self.change(self._mask)

    def parameters(self) -> Iterator[nn.Parameter]:
        """What trains, and carries the gradients to clip."""
        return (p for p in self._model.parameters() if p.requires_grad)

    def attach(self, optimizer: Optimizer) -> Optimizer:
        """Put frozen units back after every step of the optimiser."""
        self._handles.append(optimizer.register_step_post_hook(self._restore))
        return optimizer

    def project(self) -> None:
        """g ← g ⊙ mask, as `Mask.project_`; call it after backward and before clipping.

        The mask's bits are on the gradients' device already, and go nowhere.

        Raises:
            ModelError: no masked parameter has a gradient.
        """
        pairs = [(p.grad, frozen) for p, frozen, _ in self._frozen_values if p.grad is not None]
        for gradient, frozen in pairs:
            gradient.masked_fill_(frozen, 0)
        if self._mask is not None and not pairs:
            self._mask.project_(self._model)  # nothing is frozen, or it says what is wrong

    def plain(self) -> AbstractContextManager[None]:
        """Nothing to do: the model is the plain one all along."""
        return nullcontext()

    def project_at_once(self) -> None:
        """Mask each gradient as soon as it is there, for loops that clip right after backward."""
        for parameter, frozen, _ in self._frozen_values:

            def hook(accumulated: Tensor, frozen: Tensor = frozen) -> None:
                if accumulated.grad is not None:
                    accumulated.grad.masked_fill_(frozen, 0)

            self._handles.append(parameter.register_post_accumulate_grad_hook(hook))

    @torch.no_grad()
    def _restore(self, *_: Any) -> None:
        for parameter, frozen, value in self._frozen_values:
            parameter.copy_(torch.where(frozen, value, parameter))

    def __enter__(self) -> "MaskedGradients":
        return self

    def __exit__(self, *problem: Any) -> None:
        self.close()

    def close(self) -> None:
        """Make the model plain again."""
        for handle in self._handles:
            handle.remove()
        self._handles, self._frozen_values = [], []
