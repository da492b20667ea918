"""Training only what moves: gradients and optimiser state for a mask's active units alone.

A mask is fixed for a whole task, so a frozen unit needs no weight gradient and no optimiser state.
Every masked parameter gets a small stand-in that holds its active units; the optimiser steps the
stand-ins, and the parameter itself receives what moved. A frozen unit is never written to.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle
from torch.utils.weak import WeakTensorKeyDictionary

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.models.check import check_trainable_dtype
from fggm_lab.models.sharding import is_sharded
from fggm_lab.models.units import COLUMN, ROW
from fggm_lab.training.active_layers import active_forward
from fggm_lab.training.frozen_units import MaskedParameters
from fggm_lab.training.open_maskings import close_earlier, note_closed, note_open
from fggm_lab.training.stand_in import StandIn, freeze, reduced_by_others, thaw
from fggm_lab.training.stand_in_reduction import ActiveUnits, StandInReduction

_MASTER = "fggm_lab_master"
"""Where the optimiser's state holds the float32 copy of 16-bit active units."""


def _refuse_whole(
    stand_ins: dict[int, StandIn],
    frozen_at_start: WeakTensorKeyDictionary,
    optimizer: Optimizer,
    *_: Any,
) -> None:
    """Refuse a step of whole parameters that have frozen units, before it has written anything.

    Args:
        stand_ins: by the ids of the parameters whose active units train in their place.
        frozen_at_start: the masked parameters that did not train at first, and their names.
        optimizer: that is about to step.

    Raises:
        SettingError: it would move frozen units.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if id(parameter) in stand_ins:
                raise SettingError(
                    f"{type(optimizer).__name__} steps parameters whose active units ActiveRows "
                    "trains; attach the optimiser (rows.attach(optimizer)), or close ActiveRows "
                    "(rows.close()) to train the plain model"
                )
            if parameter in frozen_at_start and parameter.grad is not None:
                raise SettingError(
                    f"{frozen_at_start[parameter]} did not require a gradient when ActiveRows "
                    "was made, so its frozen units would train now; thaw it before, or make "
                    "ActiveRows anew"
                )


class ActiveRows:
    """A model that trains only a mask's active units, until the `with` block ends.

        with ActiveRows(model, mask) as rows:
            optimizer = rows.attach(torch.optim.AdamW(model.parameters(), lr=1e-4))
            for batch in batches:
                model(**batch).loss.backward()
                torch.nn.utils.clip_grad_norm_(rows.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()

    Linear layers, GPT-2's Conv1D and embeddings compute the gradient of active rows only; any other
    masked parameter computes its whole gradient, of which the active units are kept. Frozen units
    are never written to, so that weight decay, momentum or an optimiser's own rules cannot move
    them. For optimisers that treat every entry alone (SGD, Adam, Lion) the weights are those of
    dense training with masked gradients, to rounding; Adafactor and others that average over a
    whole weight average over its active rows instead.

    What a loop does with the model's own parameters reaches the active units: clipping
    `model.parameters()`, `model.zero_grad()`, the norm of `p.grad`. An optimiser that steps without
    being attached raises. (In a training of several processes clip `rows.parameters()`, and clear
    `optimizer.zero_grad()`.) Of 16-bit weights the optimiser steps float32 copies of the active
    units, which are rounded when they are written, so that small steps add up.

    Gradient accumulation, bfloat16 autocast, gradient checkpointing and torch.compile (of the model
    inside the block) work as ever. So does DistributedDataParallel, accelerate's `prepare`
    included: wrap the model inside the block, and of a masked parameter only the active units'
    gradients travel. The model's parameters, names and state dict stay as they are.
    """

    def __init__(self, model: nn.Module, mask: Mask) -> None:
        """Prepare the model.

        Args:
            model: a plain model, not yet compiled, or DistributedDataParallel around one.
            mask: by unit; parameters it does not name train whole.

        Raises:
            ModelError: the mask was made for another model, or the model trains in float16.
            SettingError: the model is compiled already, or the mask is one of single entries.
        """
        if hasattr(model, "_orig_mod"):
            raise SettingError(
                "the model is compiled already; make ActiveRows of the plain model, and call "
                "torch.compile on it inside the block"
            )
        if isinstance(model, DistributedDataParallel):
            model = model.module
        mask.check(model)
        check_trainable_dtype(model)
        if name := parameter_not_by_unit(mask, model):
            raise SettingError(
                f"the mask of {name} is not by row; train it with MaskedGradients, which computes "
                "whole gradients"
            )
        if is_sharded(model):
            raise SettingError(
                "the model is sharded (FSDP), and its layers see whole weights only while they "
                "compute; train it with MaskedGradients, each rank the rows that lie with it"
            )
        close_earlier(model)
        self.model = model
        self.owner: object = None
        self._stand_ins: dict[int, StandIn] = {}
        self._frozen: list[nn.Parameter] = []
        self._patched: list[nn.Module] = []
        self._handles: list[RemovableHandle] = []
        self._closed = False
        units: dict[str, ActiveUnits] = {}
        frozen: dict[str, nn.Parameter] = {}
        frozen_at_start = WeakTensorKeyDictionary()
        for name, parameter in model.named_parameters():
            moving = mask.units.get(name)
            if moving is None or bool(moving.all()):
                continue
            if not parameter.requires_grad:
                frozen_at_start[parameter] = name
            elif bool(moving.any()):
                stand_in = StandIn.of(parameter, moving, mask.axes[name])
                # From before: clearing and clipping must reach it, as they reach the stand-in.
                stand_in.move_gradient(parameter)
                self._stand_ins[id(parameter)] = units[name] = stand_in
            else:
                parameter.grad = None
                freeze(parameter)
                self._frozen.append(parameter)
                frozen[name] = parameter
        trained = {name: unit.parameter for name, unit in units.items()}
        self._parameters = MaskedParameters(model, frozen | trained)
        self._reduction = StandInReduction(model, units, frozen)
        self._patch()
        # The hook holds no rows, so that those which nobody holds can close themselves.
        refuse = partial(_refuse_whole, self._stand_ins, frozen_at_start)
        self._handles.append(register_optimizer_step_pre_hook(refuse))
        note_open(self)

    def _patch(self) -> None:
        for module in self.model.modules():
            stand_in = self._stand_ins.get(id(getattr(module, "weight", None)))
            if stand_in is None:
                continue
            forward = active_forward(module, stand_in.active, stand_in.index, stand_in.axis)
            if forward is not None:
                module.forward = forward
                self._patched.append(module)
        for stand_in in self._stand_ins.values():
            # Whatever other use is made of a parameter arrives here, so that none is lost.
            self._handles += [
                stand_in.parameter.register_post_accumulate_grad_hook(stand_in.move_gradient),
                stand_in.active.register_hook(stand_in.drop_cleared),
                stand_in.active.register_post_accumulate_grad_hook(stand_in.mark),
            ]

    def parameters(self) -> Iterator[nn.Parameter]:
        """What trains: stand-ins, and whole parameters that the mask does not name or keeps whole.

        These carry the gradients; clip them.

        Yields:
            Tensors of the active units, and whole parameters.
        """
        for parameter in self.model.parameters():
            stand_in = self._stand_ins.get(id(parameter))
            if stand_in is not None:
                yield stand_in.active
            elif parameter.requires_grad:
                yield parameter

    def attach(self, optimizer: Optimizer) -> Optimizer:
        """Let a fresh optimiser over the model's parameters step the active units in their place.

        Parameter groups and their settings stay; parameters without an active unit leave them.

        Args:
            optimizer: over the model's own parameters, without any state.

        Returns:
            The same optimiser.

        Raises:
            SettingError: the optimiser holds state already.
        """
        if optimizer.state:
            raise SettingError(
                f"the optimiser already holds state for {len(optimizer.state)} parameters, which "
                "would move frozen units; make a fresh one for each task"
            )
        frozen = {id(parameter) for parameter in self._frozen}
        for group in optimizer.param_groups:
            group["params"] = [
                self._stand_ins[id(p)].active if id(p) in self._stand_ins else p
                for p in group["params"]
                if id(p) not in frozen
            ]
        # These stay when the rows are closed, to refuse further steps.
        optimizer.register_step_pre_hook(self._gather)
        optimizer.register_step_post_hook(self._scatter)
        return optimizer

    def project(self) -> None:
        """Nothing to do: frozen units have no gradient."""

    def renew(self) -> None:
        """Nothing to do: between steps the weights are the model's own."""

    @contextmanager
    def plain(self) -> Iterator[None]:
        """Inside, between two steps, the model is the plain one: no parameter is frozen."""
        forwards = [(module, module.__dict__.pop("forward")) for module in self._patched]
        for parameter in self._frozen:
            thaw(parameter)
        for stand_in in self._stand_ins.values():
            stand_in.drop_cleared()
            stand_in.unmark()
        try:
            yield
        finally:
            for stand_in in self._stand_ins.values():
                if stand_in.active.grad is not None:
                    stand_in.mark()
            for module, forward in forwards:
                module.forward = forward
            for parameter in self._frozen:
                freeze(parameter)

    def _stepped_by(self, optimizer: Optimizer) -> list[StandIn]:
        ids = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        return [stand_in for stand_in in self._stand_ins.values() if id(stand_in.active) in ids]

    def _gather(self, optimizer: Optimizer, *_: Any) -> None:
        if self._closed:
            raise SettingError(
                f"{type(optimizer).__name__} steps the active units of ActiveRows that are closed, "
                "and would train nothing; make a fresh optimiser of the model's parameters"
            )
        self._parameters.check()
        stand_ins = self._stepped_by(optimizer)
        for stand_in in stand_ins:
            stand_in.drop_cleared()
            if not reduced_by_others():
                stand_in.move_gradient(stand_in.parameter)  # that a loop has written itself
        self._refuse_without_gradients(optimizer, stand_ins)
        for stand_in in stand_ins:
            stand_in.gather(optimizer.state.get(stand_in.active, {}).pop(_MASTER, None))

    def _refuse_without_gradients(self, optimizer: Optimizer, stand_ins: Sequence[StandIn]) -> None:
        """Refuse a step whose gradients were taken of the parameters that have stand-ins."""
        weights = {id(module.weight) for module in self._patched}
        layers = [stand_in for stand_in in stand_ins if id(stand_in.parameter) in weights]
        stepped = (p for group in optimizer.param_groups for p in group["params"])
        missed = all(stand_in.active.grad is None for stand_in in layers)
        if layers and missed and any(parameter.grad is not None for parameter in stepped):
            raise SettingError(
                "no layer's active units have a gradient, and other parameters do: "
                "torch.autograd.grad(loss, model.parameters()) does not reach them; call "
                "loss.backward(), or take the gradients of rows.parameters()"
            )

    def _scatter(self, optimizer: Optimizer, *_: Any) -> None:
        for stand_in in self._stepped_by(optimizer):
            master = stand_in.scatter()
            # Only where it stepped: Adam does not initialise its own state where there is some.
            stepped = stand_in.active.grad is not None or stand_in.active in optimizer.state
            if master is not None and stepped:
                optimizer.state[stand_in.active][_MASTER] = master

    def __enter__(self) -> "ActiveRows":
        return self

    def __exit__(self, *problem: Any) -> None:
        self.close()

    def close(self) -> None:
        """Make the model plain again; the optimiser is of no more use."""
        self._reduction.close()
        for handle in self._handles:
            handle.remove()
        for stand_in in self._stand_ins.values():
            stand_in.unmark()
        for module in self._patched:
            del module.forward
        for parameter in self._frozen:
            thaw(parameter)
        self._handles, self._patched, self._frozen, self._stand_ins = [], [], [], {}
        self._closed = True
        note_closed(self)

    def __del__(self) -> None:
        if hasattr(self, "_handles"):  # what was refused holds nothing
            self.close()


def parameter_not_by_unit(mask: Mask, model: nn.Module) -> str | None:
    """The first parameter masked otherwise than by rows, or by the columns of one matrix.

    Such a mask leaves no row out, so there is nothing to save.

    Args:
        mask: a mask of the model.
        model: whose parameters it names.

    Returns:
        The parameter's name; None if there is none.
    """
    for name, parameter in model.named_parameters():
        axis = mask.axes.get(name, 0)
        by_unit = axis == ROW or (axis == COLUMN and parameter.ndim == 2)
        if parameter.ndim > 1 and not by_unit:
            return name
    return None
