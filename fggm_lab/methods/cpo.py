"""CPO's movement penalty (2607.04364): entries that former tasks moved most are held back."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.checks import check_range
from fggm_lab.methods.base import Method, TaskContext

_PROTECTED = "cpo.protected."


@dataclass(frozen=True)
class CPO(Method):
    """Add λ Σ_W 1/|R_W| Σ_{i ∈ R_W} |θ_i − θ⁰_i| to the loss, over entries R_W of each weight W.

    θ⁰ are the weights before the task. R_W holds, for each former task, the top p of W's entries by
    how far that task moved them. The paper starts from the KL divergence on former tasks' data and
    goes over the Fisher information to plain movement, which needs neither data nor gradients: of
    the published methods the nearest to a soft Fisher mask. Its own loss is a policy's (GSPO); here
    the penalty is added to that of supervised training. The first task is trained plainly. We
    follow the released code, having read the paper itself in summaries only.

    The pull on one entry is λ/|R_W|, so that λ means more on a smaller model. It costs one reading
    of the weights a step, and a selection per weight and task.

    Attributes:
        strength: λ, 100 in the paper.
        protected: p, the share of each weight's entries that every task adds, rounded down; 0.1 in
            the paper.
    """

    name: ClassVar[str] = "cpo"
    paper: ClassVar[str] = "arXiv 2607.04364, equations 15 and 16"
    stores: ClassVar[str] = "one mark per weight: whether it is among those that a task moved most"
    own_weights: ClassVar[bool] = True

    strength: float = 100.0
    protected: float = 0.1
    _anchors: dict[str, tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0)
        check_range("protected", self.protected, 0, 1, above=True)

    def start(self, context: TaskContext) -> None:
        """Put the protected entries, and their values before the task, on the model's device."""
        if not any(key.startswith(_PROTECTED) for key in context.memory):
            return
        before = context.before().state_dict()
        for name, parameter in context.model.named_parameters():
            entries = context.memory.get(_PROTECTED + name)
            if entries is not None and parameter.requires_grad:
                on_device = entries.to(parameter.device)
                self._anchors[name] = on_device, before[name].to(parameter.device)[on_device]

    @torch.no_grad()
    def on_gradients(self, model: PreTrainedModel) -> None:
        """Add the penalty's gradient, λ/|R_W| · sign(θ − θ⁰), at the protected entries."""
        for name, parameter in model.named_parameters():
            if name in self._anchors:
                entries, anchor = self._anchors[name]
                pull = torch.sign(parameter[entries] - anchor) * (self.strength / len(anchor))
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                parameter.grad[entries] += pull

    def finish(self) -> None:
        """Release the anchors."""
        self._anchors.clear()

    @torch.no_grad()
    def after_task(self, context: TaskContext) -> None:
        """Add the entries that the task moved most to the protected ones."""
        before = context.before().state_dict()
        for name, parameter in context.model.named_parameters():
            moved = most_moved(parameter, before[name].to(parameter.device), self.protected)
            earlier = context.memory.get(_PROTECTED + name)
            if earlier is not None:
                moved |= earlier.to(moved.device)
            if moved.any():
                context.memory[_PROTECTED + name] = moved


def most_moved(weight: Tensor, before: Tensor, share: float) -> Tensor:
    """Mark the entries of a weight that moved most.

    Args:
        weight: after a task.
        before: before it, of the same shape.
        share: how many to mark: ⌊share · n⌋ of n, but none that did not move.

    Returns:
        Bool, of the weight's shape.
    """
    wide = torch.promote_types(weight.dtype, torch.float32)
    distance = (weight.to(wide) - before.to(wide)).abs().flatten()
    top = distance.topk(int(share * distance.numel()), sorted=False).indices
    marked = torch.zeros_like(distance, dtype=torch.bool)
    marked[top] = distance[top] > 0
    return marked.view(weight.shape)
