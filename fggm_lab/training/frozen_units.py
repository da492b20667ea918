"""The frozen units of a model, as they were, so that they can be compared and put back."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from fggm_lab.errors import ModelError
from fggm_lab.masks import Mask
from fggm_lab.training.unit_index import UnitIndex


class _Frozen(NamedTuple):
    name: str
    parameter: nn.Parameter
    units: UnitIndex
    values: Tensor


class MaskedParameters:
    """The parameters that a mask was applied to, so that others in their places are seen.

    Others would train whole: `load_state_dict(…, assign=True)` brings some, as do new layers.
    """

    def __init__(self, model: nn.Module, parameters: Mapping[str, nn.Parameter]) -> None:
        """Args:
        model: the model.
        parameters: its masked ones, by name.
        """
        self._model = model
        self._parameters = {name: (p, p.shape) for name, p in parameters.items()}

    def check(self) -> None:
        """See that the model still has them, in the same sizes.

        Raises:
            ModelError: one of them was replaced.
        """
        now = dict(self._model.named_parameters())
        for name, (parameter, shape) in self._parameters.items():
            if now.get(name) is not parameter or parameter.shape != shape:
                raise ModelError(
                    f"{name} was replaced while it was trained under a mask, so its frozen units "
                    "cannot be held; change the model before training or after it"
                )


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
        self._frozen: list[_Frozen] = []
        for name, parameter in model.named_parameters():
            bits = mask.units.get(name)
            if bits is not None and not bool(bits.all()):
                units = UnitIndex.of(parameter, ~bits, mask.axes[name])
                values = units.select(parameter)
                values = values if device is None else values.to(device)
                self._frozen.append(_Frozen(name, parameter, units, values))
        self._parameters = MaskedParameters(model, self.parameters)

    def moved(self) -> list[str]:
        """Compare the frozen units with their copy.

        Returns:
            The parameters that have frozen units of other values by now.

        Raises:
            ModelError: a parameter was replaced, so that its units cannot be put back.
        """
        self.check()
        return [
            name
            for name, parameter, units, values in self._frozen
            if not torch.equal(units.select(parameter).to(values.device), values)
        ]

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters that have frozen units, by name."""
        return {entry.name: entry.parameter for entry in self._frozen}

    def check(self) -> None:
        """See that the model has the parameters that the units were copied from.

        Raises:
            ModelError: one of them was replaced.
        """
        self._parameters.check()

    def restore(self) -> None:
        """Put every frozen unit back, to the bit."""
        for _, parameter, units, values in self._frozen:
            units.put(parameter, values.to(parameter.device))

    def zero_gradients(self) -> bool:
        """Zero the frozen units' gradients, whatever they were.

        Returns:
            Whether any parameter with frozen units has a gradient.
        """
        graded = [entry for entry in self._frozen if entry.parameter.grad is not None]
        for _, parameter, units, values in graded:
            assert parameter.grad is not None
            units.put(parameter.grad, values.new_zeros((), device=parameter.grad.device))
        return bool(graded)
