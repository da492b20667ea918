"""An optimiser of whole parameters that steps only a mask's active units.

While the optimiser steps, each masked parameter is exchanged for a stand-in that holds its active
units and their gradient. Frozen units are never written to, whatever the optimiser does, and its
state has the size of the active units. Between steps the optimiser holds the model's own
parameters, so that whoever clips, logs, scales or saves finds what it expects.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.training.unit_index import UnitIndex

_MODES = ("train", "eval")
"""The methods in which schedule-free optimisers exchange the weights for their averages."""

_ACTIVE = "fggm_lab_active."
"""What the names of active units' tensors begin with in a saved state.

Plain training that goes on from it misses them and stops; of their shapes it would learn from
nothing but a crash, for a fused optimiser does not compare them with the weights'.
"""


@dataclass(frozen=True)
class _ActiveUnits:
    """A parameter's active units, as the parameter that the optimiser steps."""

    parameter: nn.Parameter
    stand_in: nn.Parameter
    units: UnitIndex

    @classmethod
    def of(cls, parameter: nn.Parameter, bits: Tensor, axis: int) -> "_ActiveUnits":
        stand_in = nn.Parameter(parameter.detach().new_empty(0))
        return cls(parameter, stand_in, UnitIndex.of(parameter, bits, axis))

    def gather(self) -> None:
        """Read values and gradient from the parameter, whose own gradient is let go of."""
        self.stand_in.data = self.units.select(self.parameter)
        gradient = self.parameter.grad
        self.stand_in.grad = None if gradient is None else self.units.select(gradient)
        self.parameter.grad = None

    def scatter(self) -> None:
        """Write the values back."""
        self.units.put(self.parameter, self.stand_in.detach())

    def release(self) -> None:
        self.stand_in.grad = None
        self.stand_in.data = self.stand_in.new_empty(0)


class RowSteps:
    """Makes every step of an optimiser one of the active units, until it is closed.

    For optimisers that treat every entry alone (SGD, Adam, Lion) a step is that of masked whole
    gradients. Those that average over a weight (Adafactor) average over its active units.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        model: nn.Module,
        mask: Mask,
        before_step: Callable[[], None],
        after_step: Callable[[], None],
    ) -> None:
        """Args:
        optimizer: over the model's own parameters. State of whole parameters, which a checkpoint of
            an earlier version holds, is cut to the active units.
        model: the model.
        mask: whose units outside it are frozen.
        before_step: called before anything is exchanged; may refuse the step.
        after_step: called when the optimiser has stepped and the weights are written.

        Raises:
            ModelError: the mask was made for another model.
            SettingError: the optimiser does not hold the model's parameters itself.
        """
        mask.check(model)
        self._optimizer = optimizer
        self._before_step, self._after_step = before_step, after_step
        self.active: dict[int, _ActiveUnits] = {}
        self._frozen: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            bits = mask.units.get(name)
            if bits is None or not parameter.requires_grad or bool(bits.all()):
                continue
            if not bool(bits.any()):
                self._frozen.append(parameter)
                continue
            self.active[id(parameter)] = _ActiveUnits.of(parameter, bits, mask.axes[name])
        self._check(model)
        self._adapt_state()
        self._exchanged = False
        self._handles: list[RemovableHandle] = [
            optimizer.register_step_pre_hook(self._begin),
            optimizer.register_step_post_hook(self._end),
        ]
        if type(optimizer).state_dict is Optimizer.state_dict:  # whose form is known
            self._handles += [
                optimizer.register_state_dict_post_hook(self._saved_state),
                optimizer.register_load_state_dict_post_hook(self._adapt_state),
            ]
        self._modes: dict[str, Callable[..., Any]] = {}
        for name in _MODES:
            method = getattr(optimizer, name, None)
            if callable(method):
                self._modes[name] = method
                setattr(optimizer, name, partial(self._in_mode, method))

    def _check(self, model: nn.Module) -> None:
        held = {id(p) for group in self._optimizer.param_groups for p in group["params"]}
        missing = [n for n, p in model.named_parameters() if id(p) in self.active.keys() - held]
        if missing:
            raise SettingError(
                f"the optimiser {type(self._optimizer).__name__} does not hold {missing[0]} in its "
                "parameter groups, so a mask cannot reach what it does; choose one that steps the "
                "model's own parameters, such as adamw_torch"
            )

    def _saved_state(self, _: Optimizer, saved: dict[str, Any]) -> dict[str, Any]:
        """Name active units' tensors in a state dict so that only `_adapt_state` knows them."""
        held = [p for group in self._optimizer.param_groups for p in group["params"]]
        state = {
            key: _renamed(entries) if id(held[key]) in self.active else entries
            for key, entries in saved["state"].items()
        }
        return {**saved, "state": state}

    def _adapt_state(self, *_: Any) -> None:
        """Take over loaded state: of active units, or of whole parameters, which is cut."""
        for active in self.active.values():
            shape = tuple(active.parameter.shape)
            state = self._optimizer.state.get(active.parameter, {})
            for key in list(state):
                value = state.pop(key)
                if isinstance(value, Tensor) and tuple(value.shape) == shape:
                    value = active.units.select(value)
                state[key.removeprefix(_ACTIVE)] = value

    def _begin(self, *_: Any) -> None:
        self._before_step()
        self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        """Give the optimiser the active units in the parameters' place."""
        self._exchanged = True
        for parameter in self._frozen:
            parameter.grad = None  # a parameter without one is not stepped
        for active in self.active.values():
            active.gather()
        self._rename({key: active.stand_in for key, active in self.active.items()})

    def _end(self, *_: Any) -> None:
        self._return()
        self._after_step()

    @torch.no_grad()
    def _return(self) -> None:
        """Write what moved, and give the optimiser the parameters back."""
        for active in self.active.values():
            active.scatter()
        self._take_back()

    def _take_back(self) -> None:
        self._rename({id(a.stand_in): a.parameter for a in self.active.values()})
        for active in self.active.values():
            active.release()
        self._exchanged = False

    def _rename(self, names: dict[int, nn.Parameter]) -> None:
        """Exchange parameters, in the optimiser's groups and as keys of its state."""
        for group in self._optimizer.param_groups:
            group["params"] = [names.get(id(p), p) for p in group["params"]]
        state = self._optimizer.state
        for key in [key for key in state if id(key) in names]:
            state[names[id(key)]] = state.pop(key)

    def _in_mode(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method of the optimiser that writes weights outside its step."""
        gradients = {key: a.parameter.grad for key, a in self.active.items()}
        self._exchange()
        try:
            return method(*args, **kwargs)
        finally:
            self._return()
            for key, gradient in gradients.items():
                self.active[key].parameter.grad = gradient

    def close(self) -> None:
        """Make the optimiser the plain one again; after a step that broke off, too."""
        for handle in self._handles:
            handle.remove()
        for name in self._modes:
            delattr(self._optimizer, name)
        if self._exchanged:
            self._take_back()
        self._handles, self._modes, self.active = [], {}, {}


def _renamed(entries: dict[str, Any]) -> dict[str, Any]:
    return {
        _ACTIVE + name if isinstance(value, Tensor) and value.ndim else name: value
        for name, value in entries.items()
    }
