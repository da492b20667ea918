"""The one file from which an interrupted run goes on exactly where it was."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from fggm_lab.errors import RunError
from fggm_lab.files import checked, read_tensors, write_tensors
from fggm_lab.masks import Mask
from fggm_lab.methods.base import Memory
from fggm_lab.models.token_counts import TokenCounts, no_tokens
from fggm_lab.runs import Run
from fggm_lab.runs.records import STATE_ENTRY

PURPOSES = ("score", "train", "evaluate", "record", "remember")
"""What a task's time goes into."""

TOKEN_PURPOSES = ("score", "sample", "train", "remember")
"""What the tokens are spent on that learning a task takes; measuring it is not counted."""

_MEMORY = "memory."


@dataclass
class TrainingProgress:
    """How far a run is.

    Attributes:
        task: 0-based task in training; T when all are done.
        task_step: optimiser steps taken in it; 0 means that it has not been scored yet.
        step: optimiser steps taken in all.
        offset: length of the event log that belongs to this state, bytes.
        seconds: spent on this task so far, by purpose: `score` and `remember` on what the method
            makes before and after the task, `record` on Fisher scores that are only looked at.
        tokens: that went through the model in this task so far, by `TOKEN_PURPOSES`.
        peak_memory_mb: the most memory seen in this task, MiB.
        mask_step: the step after which the mask in force was chosen; 0: before the task.
        mask: the digest of the mask in force; empty: every unit moves; None in states of older
            versions, which do not say it.
        best_loss: the lowest held-out loss seen in this task; None before it was looked at.
        best_step: the step of the task after which that was.
        reached: whether the held-out loss is as low as `until_loss` asks.
    """

    task: int = 0
    task_step: int = 0
    step: int = 0
    offset: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PURPOSES, 0.0))
    tokens: TokenCounts = field(default_factory=lambda: no_tokens(TOKEN_PURPOSES))
    peak_memory_mb: float = 0.0
    mask_step: int = 0
    mask: str | None = None
    best_loss: float | None = None
    best_step: int = 0
    reached: bool = False


def _model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; a tied parameter once."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def weights_are_finite(model: nn.Module) -> bool:
    """Whether no weight is NaN or infinite."""
    return all(bool(torch.isfinite(p).all()) for p in model.parameters())


def save_state(
    path: Path,
    model: nn.Module,
    optimizer: Optimizer | None,
    progress: TrainingProgress,
    memory: Memory,
) -> None:
    """Write weights, optimiser, random numbers, progress and the method's memory into one file.

    On the CPU the file is written from the tensors themselves, without a copy of them.
    """
    tensors = {f"model.{name}": tensor for name, tensor in _model_tensors(model).items()}
    if optimizer is not None:
        for index, entries in optimizer.state_dict()["state"].items():
            for key, value in entries.items():
                tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value)
    for name, tensor in memory.items():
        tensors[f"{_MEMORY}{name}"] = tensor
    tensors["random.cpu"] = torch.get_rng_state()
    device = next(model.parameters()).device
    if device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(device)
    write_tensors(path, tensors, {STATE_ENTRY: asdict(progress)})


def load_state(path: Path) -> tuple[TrainingProgress, dict[str, Tensor]]:
    """Read what `save_state` wrote.

    Args:
        path: of the file.

    Returns:
        How far the run was, and every tensor that was saved.

    Raises:
        RunError: the file is missing or damaged.
    """

    def refusal(reason: str) -> RunError:
        return RunError(
            f"{path} is missing or damaged ({reason}); branch from an earlier task with "
            "branch=(run, task) (--from and --task), or start the run anew in another folder"
        )

    tensors, record = read_tensors(path, refusal, fields=(STATE_ENTRY,), former_entry=STATE_ENTRY)
    progress = checked(TrainingProgress, record.get(STATE_ENTRY, record), refusal)
    progress.seconds = TrainingProgress().seconds | progress.seconds
    return progress, tensors


def mask_in_force(run: Run, progress: TrainingProgress) -> Mask | None:
    """The mask that a saved state of a task was trained under.

    Args:
        run: that the state is of.
        progress: how far it is, within a task.

    Returns:
        The mask; None if every unit moves.

    Raises:
        RunError: the mask is missing, damaged, or another one.
    """
    path = run.file("masks", progress.task, progress.mask_step)
    mask = Mask.load(path) if path.exists() else None
    digest = "" if mask is None else mask.digest()
    if progress.mask is not None and digest != progress.mask:
        state = "is missing" if mask is None else "is another mask than was trained under"
        raise RunError(
            f"{path} {state}, so the task cannot be gone on with; restore it, or branch from an "
            "earlier task with branch=(run, task) (--from and --task)"
        )
    return mask


def saved_memory(tensors: dict[str, Tensor]) -> Memory:
    """The method's memory among the saved tensors."""
    return {
        name.removeprefix(_MEMORY): tensor
        for name, tensor in tensors.items()
        if name.startswith(_MEMORY)
    }


@torch.no_grad()
def restore_model(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copy the saved weights into `model`.

    Raises:
        RunError: weights of the model were not saved, or have another shape.
    """
    for name, tensor in _model_tensors(model).items():
        saved = tensors.get(f"model.{name}")
        if saved is None or saved.shape != tensor.shape:
            raise RunError(
                f"the saved state has no weights {name} of shape {tuple(tensor.shape)}; restore "
                "the state that this run saved"
            )
        tensor.copy_(saved)


def restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give a freshly built optimiser the saved state.

    Raises:
        RunError: the state is that of other parameters, as an earlier version of the lab saved it.
    """
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = tensor
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for number, entries in state.items():
        shapes = {tuple(value.shape) for value in entries.values() if value.ndim}
        if number >= len(parameters) or shapes - {tuple(parameters[number].shape)}:
            raise RunError(
                "the saved optimiser state does not fit this run's parameters; was it saved by "
                "another version? Branch from an earlier task with branch=(run, task) "
                "(--from and --task)"
            )
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def restore_random(tensors: dict[str, Tensor], device: torch.device) -> None:
    """Set torch's random generators, the one of the model's device too, to where they were."""
    torch.set_rng_state(tensors["random.cpu"])
    if device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
