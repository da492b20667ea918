"""FAPM (2509.08255): after each task, most of what it changed goes back to where it was."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fggm_lab.checks import check_range
from fggm_lab.methods.base import Method, TaskContext


@dataclass(frozen=True)
class FAPM(Method):
    """Plain fine-tuning, then each weight's task vector ΔW = W − W⁰ is pruned to its top entries.

    The forgetting-aware pruning metric is S = |ΔW| − mean(|W⁰|) · |ΔW| / |W⁰|, entry by entry, with
    the mean over the matrix: a large change counts for an entry, a change that is large beside the
    weight itself against it. Entries outside the top share of S get back their values of before
    the task; the others keep theirs. So S is positive only where |W⁰| is above its mean.

    The paper prunes once, against the pretrained weights; here it is done after every task, against
    the weights before it, and before the model is scored. It costs one reading of the weights and
    one selection per weight and task, and no data. We read the metric in a review of the paper, not
    in the paper, and have not seen its code.

    Attributes:
        density: the share of each weight's entries that stay changed, 1 − the sparsity; that is
            round(density · n) of n, at least one. The default is the sparsity of 90 % at which the
            paper's tasks still hold, as the review has it.
        vectors: prune the changes of biases and norms, too; the paper speaks of matrices.
    """

    name: ClassVar[str] = "fapm"
    paper: ClassVar[str] = "arXiv 2509.08255"
    own_weights: ClassVar[bool] = True
    merges: ClassVar[bool] = True

    density: float = 0.1
    vectors: bool = False

    def __post_init__(self) -> None:
        check_range("density", self.density, 0, 1, above=True)

    @torch.no_grad()
    def on_weights(self, context: TaskContext, step: int, steps: int) -> bool:
        """Prune after the last step."""
        if step < steps:
            return False
        before = context.before().state_dict()
        for name, parameter in context.model.named_parameters():
            if parameter.ndim > 1 or self.vectors:
                start = before[name].to(parameter.device)
                count = max(1, round(self.density * parameter.numel()))
                top = pruning_metric(parameter, start).flatten().topk(count, sorted=False).indices
                pruned = start.flatten().clone()
                pruned[top] = parameter.flatten()[top]
                parameter.copy_(pruned.view_as(parameter))
        return True


def pruning_metric(weight: Tensor, before: Tensor) -> Tensor:
    """FAPM's metric of every entry.

    Args:
        weight: W, after the task.
        before: W⁰, of the same shape.

    Returns:
        S in float32 or wider, of that shape; −∞ for entries that did not move, and for those that
        moved away from zero.
    """
    wide = torch.promote_types(weight.dtype, torch.float32)
    size = before.to(wide).abs()
    change = (weight.to(wide) - before.to(wide)).abs()
    metric = change - size.mean() * change / size
    return metric.masked_fill((change == 0) | (size == 0), -torch.inf)
