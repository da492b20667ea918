"""O-LoRA (arXiv 2310.14152): each task's adapter keeps out of the directions of earlier ones."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from fggm_lab.checks import check_choice, check_range
from fggm_lab.deprecation import RENAMED_SETTINGS, renamed_arguments
from fggm_lab.methods.base import TaskContext
from fggm_lab.methods.lora import LoRA, factors

Norm = Literal["absolute", "squared"]
"""What is summed over the entries of a product: absolute values or squares."""

_MEMORY = "olora."


@renamed_arguments(**RENAMED_SETTINGS["olora"])
@dataclass(frozen=True)
class OLoRA(LoRA):
    """LoRA with a penalty on the overlap of the adapter's A with those of the tasks before it.

    To the loss is added λ Σ_l Σ_i<t Σ_jk |(A_i A_tᵀ)_jk|, over adapted layers l, earlier tasks i
    and the entries of the r × r products. Earlier adapters are merged and frozen; only their A is
    kept, r numbers for every input of every adapted layer and task.

    Attributes:
        rank: r, the number of rows of A.
        alpha: α; a weight's update is scaled by α/r.
        dropout: the share of an adapter's inputs that are dropped in training.
        modules: the layers that are adapted: `linear` (all linear layers but the output head), or
            the ends of their names, such as `["q_proj", "v_proj"]`.
        lr_scale: the factor by which the run's learning rate is multiplied for adapters.
        weight: λ (the released code's `lamda_1`, 0.5 in its scripts).
        norm: `absolute` values are summed, as by the released code, or `squared` ones, as in the
            paper's equation 8.
    """

    name: ClassVar[str] = "olora"
    paper: ClassVar[str] = "arXiv 2310.14152, equations 7 and 8"
    stores: ClassVar[str] = "the A matrix of every adapter of every earlier task"

    weight: float = 0.5
    norm: Norm = "absolute"
    _pairs: list[tuple[nn.Parameter, Tensor]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("weight", self.weight, 0)
        check_choice("norm", self.norm, Norm)

    def start(self, context: TaskContext) -> None:
        """Pair each layer's A, (r, in), with those of earlier tasks, (tasks · r, in)."""
        for layer, (a, _) in factors(context.model).items():
            earlier = context.memory.get(_MEMORY + layer)
            if earlier is not None:
                self._pairs.append((a, earlier.to(a)))

    def reads_logits(self, batch: dict[str, Tensor]) -> bool:
        """Whether there is a penalty; of the logits it only asks for the device."""
        return bool(self._pairs)

    def extra_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """Add the penalty; there is none while there is no earlier task."""
        if not self._pairs:
            return None
        with torch.autocast(logits.device.type, enabled=False):
            overlaps = [earlier @ a.T for a, earlier in self._pairs]
            if self.norm == "squared":
                return self.weight * torch.stack([o.square().sum() for o in overlaps]).sum()
            return self.weight * torch.stack([o.abs().sum() for o in overlaps]).sum()

    def finish(self) -> None:
        """Release the matrices."""
        self._pairs.clear()

    def after_task(self, context: TaskContext) -> None:
        """Append the task's A to those in the memory, (tasks · r, in) for each layer."""
        for layer, (a, _) in factors(context.model).items():
            earlier = context.memory.get(_MEMORY + layer)
            new = a.detach().cpu().clone()
            context.memory[_MEMORY + layer] = new if earlier is None else torch.cat([earlier, new])
