"""EWC, elastic weight consolidation: weights that former tasks need are held back (1612.00796)."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.checks import check_optional_count, check_range
from fggm_lab.methods.base import Method, TaskContext
from fggm_lab.methods.penalty import pull


@dataclass(frozen=True)
class EWC(Method):
    """Pull each weight back to where former tasks left it, by how much their Fisher needs it.

    The penalty is λ/2 Σ_t F_t (θ − θ_t*)², with the diagonal empirical Fisher F_t of each former
    task t and the weights θ_t* it ended with: one term per task, as the paper has it. Up to a
    constant that is λ/2 ΣF_t (θ − θ̄)², with the F-weighted mean θ̄ of all θ_t*; so two numbers per
    weight are enough for any number of tasks, and nothing cancels in their difference.

    Attributes:
        strength: λ, which depends on the model and the tasks. The default was the best of 1, 1000
            and 100000 on the eval split of the course's three tasks (seed 0): the first holds
            nothing back, the last lets nothing new in.
        max_examples: estimate F_t on so many training examples, drawn by the run's seed (None:
            all).
    """

    name: ClassVar[str] = "ewc"
    paper: ClassVar[str] = "arXiv 1612.00796, equation 3"
    stores: ClassVar[str] = "two numbers per weight: its summed Fisher, and its weighted mean"
    own_weights: ClassVar[bool] = True

    strength: float = 1000.0
    max_examples: int | None = None
    _pulls: dict[str, tuple[Tensor, Tensor]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0)
        check_optional_count("max_examples", self.max_examples)

    def _keys(self, name: str) -> tuple[str, str]:
        """The names of a parameter's Fisher and anchor in the memory."""
        return f"{self.name}.fisher.{name}", f"{self.name}.anchor.{name}"

    def start(self, context: TaskContext) -> None:
        """Read Fisher and anchor from the memory, onto the parameter's device."""
        for name, parameter in context.model.named_parameters():
            fisher, anchor = (context.memory.get(key) for key in self._keys(name))
            if parameter.requires_grad and fisher is not None and anchor is not None:
                self._pulls[name] = fisher.to(parameter.device), anchor.to(parameter.device)

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Add the penalty's gradient, λ ΣF_t (θ − θ̄)."""
        for name, parameter in model.named_parameters():
            if name in self._pulls:
                fisher, anchor = self._pulls[name]
                pull(parameter, anchor, self.strength * fisher)

    def finish(self) -> None:
        """Release Fisher and anchors."""
        self._pulls.clear()

    def after_task(self, context: TaskContext) -> None:
        """Estimate the Fisher of the task just learned, and merge it with that of former tasks."""
        scores = context.fisher(self.max_examples, elementwise=True)
        weights = dict(context.model.named_parameters())
        for name, fisher in (scores.elementwise or {}).items():
            anchored = weights[name].detach().to(fisher, copy=True)
            summed, anchor = self._keys(name)
            if summed in context.memory:
                before = context.memory[summed].to(fisher)
                fisher, anchored = self.merged(
                    before, context.memory[anchor].to(fisher), fisher, anchored
                )
            context.memory.update({summed: fisher, anchor: anchored})

    def merged(
        self, fisher: Tensor, anchor: Tensor, new: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Merge the Fisher and the anchor of the task that ended with those of former tasks.

        Args:
            fisher: the summed Fisher of former tasks.
            anchor: their anchor; it has the same shape, as do the other two.
            new: the Fisher of the task that ended.
            weights: the weights it ended with.

        Returns:
            Fisher and anchor of all tasks so far.
        """
        total = fisher + new
        share = new / total.clamp_min(torch.finfo(total.dtype).tiny)
        return total, torch.lerp(anchor, weights, share)
