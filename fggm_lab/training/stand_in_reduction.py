"""Stand-ins' gradients under DistributedDataParallel (DDP), which knows the model's own alone.

DDP averages gradients over processes when a backward pass ends. The stand-ins of `ActiveRows` are
no parameters of the model, so DDP does not see them; what it does is done here for them:

1. A DDP that wraps the model after `ActiveRows` was made leaves the parameters with a stand-in out,
   so that only active units travel. One that was made before sends zeros for them.
2. Each forward pass notes the DDP it is part of, and whether it is inside `no_sync`.
3. When a backward pass ends, the stand-ins' gradients are averaged, before anybody clips them.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.hooks import RemovableHandle

from fggm_lab.distributed import reduce_gradients
from fggm_lab.errors import SettingError

_IGNORED = "_ddp_params_and_buffers_to_ignore"
"""Where DDP looks for the names of the parameters of a module that it leaves alone."""


@dataclass(frozen=True)
class ActiveUnits:
    """What is reduced of one parameter.

    Attributes:
        parameter: the model's.
        active: the stand-in that carries the gradient of its active units.
        index: which units they are, (k,).
    """

    parameter: nn.Parameter
    active: nn.Parameter
    index: Tensor


class _Note(partial[None]):
    """The hook on a model; a copy of the model, deep or pickled, gets one that does nothing."""

    def __reduce__(self) -> Any:
        return partial, (_ignore,)


def _ignore(*_: Any) -> None:
    """What a copy does before a forward pass: its parameters have no stand-ins."""


class _IgnoredNames(list[str]):
    """The names that DDP leaves out; a copy of the model has those that were there before."""

    def __init__(self, before: Iterable[str] | None, names: Iterable[str]) -> None:
        super().__init__([*(before or ()), *names])
        self._before = list(before or ())

    def __reduce__(self) -> Any:
        return list, (self._before,)


class StandInReduction:
    """Averages the gradients of stand-ins over the processes of a DDP, while it is open."""

    def __init__(
        self, model: nn.Module, units: Mapping[str, ActiveUnits], frozen: Mapping[str, nn.Parameter]
    ) -> None:
        """Args:
        model: the plain model.
        units: name → the parameters that have a stand-in.
        frozen: name → the parameters that do not train at all.
        """
        self._model, self._units, self._frozen = model, units, frozen
        self._ddp: DistributedDataParallel | None = None
        self._reducing = self._queued = False
        self._ignored_before = getattr(model, _IGNORED, None)
        self._handles: list[RemovableHandle] = []
        if not units:
            return
        names = _IgnoredNames(self._ignored_before, self._names_to_ignore())
        setattr(model, _IGNORED, names)
        self._handles.append(model.register_forward_pre_hook(_Note(self._note)))
        for unit in units.values():
            # A gradient comes to the stand-in or, from a use it does not serve, to the parameter.
            for leaf in (unit.active, unit.parameter):
                self._handles.append(leaf.register_post_accumulate_grad_hook(self._queue))

    def _names_to_ignore(self) -> list[str]:
        """All names of the parameters that DDP need not know, those of tied weights included."""
        ids = {id(unit.parameter) for unit in self._units.values()}
        if not any(p.requires_grad and id(p) not in ids for p in self._model.parameters()):
            # DDP wants one parameter; let it be the smallest.
            ids.discard(id(min((u.parameter for u in self._units.values()), key=Tensor.numel)))
        named = self._model.named_parameters(remove_duplicate=False)
        names = [name for name, parameter in named if id(parameter) in ids]
        return names + [f".{name}" for name in names if "." not in name]  # as DDP spells the root's

    def _note(self, *_: Any) -> None:
        if dist.is_available() and dist.is_initialized():
            self._note_ddp()

    @torch.compiler.disable  # a compiled model leaves its graph here, as DDP itself makes it do
    def _note_ddp(self) -> None:
        """Note the DDP whose forward pass this is, and whether gradients are to be averaged."""
        ddp = DistributedDataParallel._get_active_ddp_module()
        self._queued = False
        self._reducing = ddp is not None and bool(ddp.require_backward_grad_sync)
        if ddp is not None and ddp is not self._ddp and torch.is_grad_enabled():
            self._meet(ddp)
            self._ddp = ddp

    @torch.no_grad()
    def _meet(self, ddp: DistributedDataParallel) -> None:
        """Do once what DDP does when it is made: see that all processes begin alike.

        Args:
            ddp: the wrapper.

        Raises:
            SettingError: it waits for gradients that never come, or masks differ.
        """
        ignored = set(getattr(self._model, _IGNORED))
        left_out = ddp.module is self._model and ignored <= set(ddp.parameters_to_ignore)
        if self._frozen and not left_out:
            raise SettingError(
                f"the mask freezes {next(iter(self._frozen))} as a whole, and "
                "DistributedDataParallel, made before ActiveRows or of another module, waits for "
                "its gradient; make ActiveRows of the plain model, then wrap that model"
            )
        group = ddp.process_group
        first = next(iter(self._units.values())).parameter
        digest = torch.tensor([self._digest()], device=first.device)
        extremes = [digest.clone(), digest.clone()]
        dist.all_reduce(extremes[0], dist.ReduceOp.MIN, group)
        dist.all_reduce(extremes[1], dist.ReduceOp.MAX, group)
        if not torch.equal(*extremes):
            raise SettingError(
                "ActiveRows trains other units on another process; give all processes the same "
                "mask, from the same scores, seed or file"
            )
        if left_out:
            for name, unit in self._units.items():
                if name in ignored:
                    dist.broadcast(unit.parameter.detach(), dist.get_global_rank(group, 0), group)

    def _digest(self) -> int:
        """A number that tells which units of which parameters are active."""
        digest = hashlib.sha256()
        for name, unit in self._units.items():
            digest.update(name.encode())
            digest.update(unit.index.cpu().numpy().tobytes())
        return int.from_bytes(digest.digest()[:7], "big")

    def _queue(self, _: Tensor) -> None:
        """Average once the backward pass under way has ended."""
        if self._reducing and not self._queued:
            self._queued = True
            torch.autograd.Variable._execution_engine.queue_callback(self._reduce)

    def _reduce(self) -> None:
        self._queued = False
        if self._ddp is None:
            return
        group = self._ddp.process_group
        stand_ins = [unit.active for unit in self._units.values()]
        reduce_gradients(stand_ins, group, 1 / dist.get_world_size(group))

    def close(self) -> None:
        """Let go of the model."""
        for handle in self._handles:
            handle.remove()
        if self._handles:
            if self._ignored_before is None:
                delattr(self._model, _IGNORED)
            else:
                setattr(self._model, _IGNORED, self._ignored_before)
        self._handles, self._ddp = [], None
