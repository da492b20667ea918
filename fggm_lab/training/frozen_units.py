"""The frozen units of a model, as they were, so that they can be compared and put back."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fggm_lab.errors import ModelError
from fggm_lab.masks import Mask
from fggm_lab.training.unit_index import UnitIndex


class _Frozen(NamedTuple):
    name: str
    parameter: nn.Parameter
    shape: torch.Size
    units: UnitIndex
    values: Tensor


class FrozenUnits:
    """A copy of what a mask freezes; what moves costs nothing."""

    def __init__(
        self, model: nn.Module, mask: Mask, device: torch.device | str | None = None
    ) -> None:
        """Copy the frozen units as they are now.

        Args:
            model: the model.
            mask: whose units outside it are frozen.
            device: where the copy lies; None: where each parameter is.

        Raises:
            ModelError: the mask was made for another model.
        """
        mask.check(model)
        self._model = model
        self._frozen: list[_Frozen] = []
        for name, parameter in model.named_parameters():
            bits = mask.units.get(name)
            if bits is not None and not bool(bits.all()):
                units = UnitIndex.of(parameter, ~bits, mask.axes[name])
                values = units.select(parameter)
                values = values if device is None else values.to(device)
                self._frozen.append(_Frozen(name, parameter, parameter.shape, units, values))

    def moved(self) -> list[str]:
        """Compare the frozen units with their copy.

        Returns:
            The parameters that have frozen units of other values by now.

        Raises:
            ModelError: a parameter was replaced, so that its units cannot be put back.
        """
        now = dict(self._model.named_parameters())
        moved = []
        for name, parameter, shape, units, values in self._frozen:
            if now.get(name) is not parameter or parameter.shape != shape:
                raise ModelError(
                    f"{name} was replaced while it was trained under a mask, so its frozen units "
                    "cannot be put back; change the model before training or after it"
                )
            if not torch.equal(units.select(parameter).to(values.device), values):
                moved.append(name)
        return moved

    def restore(self) -> None:
        """Put every frozen unit back, to the bit."""
        for _, parameter, _, units, values in self._frozen:
            units.put(parameter, values.to(parameter.device))

    def zero_gradients(self) -> bool:
        """Zero the frozen units' gradients, whatever they were.

        Returns:
            Whether any parameter with frozen units has a gradient.
        """
        graded = [entry for entry in self._frozen if entry.parameter.grad is not None]
        for _, parameter, _, units, values in graded:
            assert parameter.grad is not None
            units.put(parameter.grad, values.new_zeros((), device=parameter.grad.device))
        return bool(graded)
