"""A mask in one training of the Hugging Face Trainer, nothing of which is on the model."""

import inspect
import warnings
from typing import Any
from weakref import ref

from torch.optim import Optimizer
from transformers import Trainer

from fggm_lab.errors import SettingError, TrainingError
from fggm_lab.masks import Mask
from fggm_lab.training.changed_entries import ChangedEntries
from fggm_lab.training.frozen_units import FrozenUnits
from fggm_lab.training.open_maskings import note_closed, note_open
from fggm_lab.training.row_steps import RowSteps


def calling_trainer() -> Trainer:
    """The Trainer that is calling its callbacks.

    It tells them nothing of itself, but it is on the call stack.

    Returns:
        The innermost one.

    Raises:
        SettingError: no Trainer is calling.
    """
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, Trainer):
            return caller
        frame = frame.f_back
    raise SettingError(
        "this callback is one of the Hugging Face Trainer, which has to call it; in a loop of your "
        "own use ActiveRows"
    )


class TrainerMasking:
    """Holds frozen units still in a Trainer: in its clipping, its optimiser and what it saves.

    Nothing is put on the model, so that an interrupted training leaves it plain: the mask acts
    where this Trainer clips gradients, and on its optimiser.
    """

    def __init__(self, trainer: Trainer, optimizer: Optimizer, mask: Mask) -> None:
        """Args:
        trainer: that begins to train.
        optimizer: its optimiser, without accelerate's wrapper.
        mask: which units of its model may move.

        Raises:
            ModelError: the mask was made for another model.
            SettingError: the optimiser does not hold the model's parameters itself.
        """
        self.model, self.mask = trainer.model, mask
        self._trainer = ref(trainer)
        self.optimizer = optimizer
        self.batch_size = trainer.state.train_batch_size
        self._due = self._closed = False
        # In the computer's own memory, which costs a GPU nothing.
        self._frozen = FrozenUnits(self.model, mask, "cpu")
        self.changed = ChangedEntries(self.model, mask)
        self._steps = RowSteps(optimizer, self.model, mask, self._check_step, self.changed.step)
        self._accelerator = trainer.accelerator
        self._clip = self._accelerator.clip_grad_norm_
        self._accelerator.clip_grad_norm_ = self._clip_masked
        note_open(self)

    @property
    def owner(self) -> Trainer | None:
        """The Trainer, as long as there is one."""
        return self._trainer()

    def _clip_masked(self, *args: Any, **kwargs: Any) -> Any:
        """Clip what the mask leaves of the gradients."""
        self.mask.project_(self.model)
        return self._clip(*args, **kwargs)

    def announce_step(self) -> None:
        """Say that the next step of the optimiser is one of this training."""
        self._due = True

    def _check_step(self) -> None:
        if not self._due:
            self.close()
            raise TrainingError(
                "the optimiser of an interrupted FGGMCallback training steps without the callback, "
                "and the gradients were masked; the mask is off now, so train again"
            )
        self._due = False

    def put_back(self) -> None:
        """Restore frozen units that something other than the optimiser has moved."""
        if moved := self._frozen.moved():
            self._frozen.restore()
            warnings.warn(
                f"frozen units of {_named(moved)} were moved outside the optimiser's step (by "
                "weight averaging, or another callback that writes weights); they are put back, "
                "but what was measured meanwhile is of other weights",
                stacklevel=2,
            )

    def check_saved(self) -> None:
        """Refuse to go on from a checkpoint that has been written with moved frozen units.

        Raises:
            TrainingError: it has been.
        """
        if moved := self._frozen.moved():
            raise TrainingError(
                f"the checkpoint was saved with frozen units of {_named(moved)} moved, by weight "
                "averaging or another callback that writes weights before saving; delete it, and "
                "train without that"
            )

    def close(self, *, keep_state: bool = False) -> None:
        """Make Trainer and optimiser the plain ones again.

        Args:
            keep_state: whether the optimiser keeps its state, as for a training that is resumed.
                Else it is emptied: it is of active units, and the next task begins afresh.
        """
        if self._closed:
            return
        self._closed = True
        self._steps.close()
        del self._accelerator.clip_grad_norm_
        if not keep_state:
            self.optimizer.state.clear()
        note_closed(self)


def _named(names: list[str]) -> str:
    more = f" and {len(names) - 1} more parameters" if len(names) > 1 else ""
    return names[0] + more
