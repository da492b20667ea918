"""Training under a mask the plain way: whole gradients, masked, and frozen units put back."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import WeakTensorKeyDictionary

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.models.check import check_trainable_dtype
from fggm_lab.training.changed_entries import ChangedEntries
from fggm_lab.training.frozen_units import FrozenUnits
from fggm_lab.training.open_maskings import close_earlier, note_closed, note_open


class MaskedGradients:
    """A model whose whole gradients are computed and then masked, until the `with` block ends.

    Serves masks of any kind, and methods that want to see whole gradients; `ActiveRows` does the
    same for masks by unit in less time and memory. A zero gradient is not enough to freeze a unit:
    decoupled weight decay, momentum and an optimiser's own rescaling still move it. So frozen units
    are copied, and put back after every step; units that move cost nothing. What an interrupted
    masked training of the model left on it is closed, with a warning.

    Of a model sharded by FSDP2 (`fully_shard`, before this) each rank masks and keeps the rows that
    lie with it.
    """

    def __init__(self, model: nn.Module, mask: Mask | None) -> None:
        """Args:
        model: the model.
        mask: which units may move; None lets all.

        Raises:
            ModelError: the mask was made for another model, or the model trains in float16.
        """
        check_trainable_dtype(model)
        close_earlier(model)
        self.model = model
        self.owner: object = None
        self._handles: list[RemovableHandle] = []
        self._guard = _Guard()
        self.change(mask)
        # The guard holds no masking, so that one which nobody holds can close itself.
        self._handles.append(register_optimizer_step_pre_hook(self._guard.refuse))
        note_open(self)

    def change(self, mask: Mask | None) -> None:
        """Train under another mask from here on; what it freezes stays as it is now.

        Raises:
            ModelError: the mask was made for another model.
        """
        self._mask = mask
        self._changed: ChangedEntries | None = None
        self._frozen = None if mask is None else FrozenUnits(self.model, mask)
        parameters = {} if self._frozen is None else self._frozen.parameters
        self._guard.names = WeakTensorKeyDictionary({p: name for name, p in parameters.items()})

    def renew(self) -> None:
        """Hold frozen units from here on at the values they have now."""
        self.change(self._mask)

    def parameters(self) -> Iterator[nn.Parameter]:
        """What trains, and carries the gradients to clip."""
        return (p for p in self.model.parameters() if p.requires_grad)

    def attach(self, optimizer: Optimizer) -> Optimizer:
        """Put frozen units back after every step of the optimiser.

        Of 16-bit weights, whose small steps are rounded away, it warns after the first steps if few
        entries have changed.

        Args:
            optimizer: over the model's parameters.

        Returns:
            The same optimiser.
        """
        self._changed = ChangedEntries(self.model, self._mask)
        self._guard.attached.add(optimizer)
        self._handles.append(optimizer.register_step_pre_hook(self._before_step))
        self._handles.append(optimizer.register_step_post_hook(self._after_step))
        return optimizer

    def project(self) -> None:
        """g ← g ⊙ mask, as `Mask.project_`; call it after backward and before clipping.

        Which units are frozen is on the gradients' device already, and goes nowhere.

        Raises:
            ModelError: no masked parameter has a gradient.
        """
        zeroed = self._frozen is not None and self._frozen.zero_gradients()
        if self._mask is not None and not zeroed:
            self._mask.project_(self.model)  # nothing is frozen, or it says what is wrong

    def plain(self) -> AbstractContextManager[None]:
        """Nothing to do: the model is the plain one all along."""
        return nullcontext()

    def _before_step(self, *_: Any) -> None:
        self._guard.stepping = True
        if self._frozen is not None:
            self._frozen.check()

    def _after_step(self, *_: Any) -> None:
        self._guard.stepping = False
        if self._frozen is not None:
            self._frozen.restore()
        if self._changed is not None:
            self._changed.step()

    def __enter__(self) -> "MaskedGradients":
        return self

    def __exit__(self, *problem: Any) -> None:
        self.close()

    def close(self) -> None:
        """Make the model plain again."""
        changed = self._changed
        for handle in self._handles:
            handle.remove()
        self._handles, self._frozen, self._changed = [], None, None
        note_closed(self)
        if changed is not None:  # last, for it may fail, as where warnings are errors
            changed.measure()

    def __del__(self) -> None:
        if hasattr(self, "_handles"):  # what was refused holds nothing
            self.close()


@dataclass
class _Guard:
    """Sees that nobody steps frozen units but optimisers after which they are put back.

    Attributes:
        names: of the parameters that have frozen units, as long as they live: the ids of those that
            were replaced are given to others.
        attached: the optimisers after whose steps they are put back.
        stepping: whether one of these is stepping; it may let another one step inside.
    """

    names: WeakTensorKeyDictionary = field(default_factory=WeakTensorKeyDictionary)
    attached: WeakSet[Optimizer] = field(default_factory=WeakSet)
    stepping: bool = False

    def refuse(self, optimizer: Optimizer, *_: Any) -> None:
        """Refuse a step, before it has written anything.

        Args:
            optimizer: any that is about to step.

        Raises:
            SettingError: it was not attached, and would move frozen units.
        """
        if self.stepping or optimizer in self.attached:
            return
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter in self.names and parameter.grad is not None:
                    raise SettingError(
                        f"{type(optimizer).__name__} would move frozen units of "
                        f"{self.names[parameter]}; attach it (masking.attach(optimizer)), or "
                        "close the masking to train the plain model"
                    )
