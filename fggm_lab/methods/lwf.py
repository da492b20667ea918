"""LwF, learning without forgetting (1606.09282): answer the new task's inputs as before, too."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax
from transformers import PreTrainedModel

from fggm_lab.checks import check_range
from fggm_lab.methods.base import Method, TaskContext
from fggm_lab.models.encoding import IGNORED, text_logits


@dataclass(frozen=True)
class LwF(Method):
    """Distil, on the new task's inputs, from the model as it was before the task.

    Adds to the loss the mean over the answer's tokens of KL(p‖q), with p and q the next-token
    distributions of the model before the task and of the model now, both softened: the logits are
    divided by T. The paper's cross-entropy differs from it by a constant, p's entropy, so the
    gradients are the same. As in the paper there is no factor T².

    Attributes:
        weight: of the distillation loss (the paper's λ_o).
        temperature: T.
        first_task: whether the first task is distilled, too, from the pretrained model.
    """

    name: ClassVar[str] = "lwf"
    paper: ClassVar[str] = "arXiv 1606.09282, equations 2 to 4"
    stores: ClassVar[str] = "nothing; during a task, a copy of the model as it was before"

    weight: float = 1.0
    temperature: float = 2.0
    first_task: bool = True
    _teacher: list[PreTrainedModel] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_range("weight", self.weight, 0)
        check_range("temperature", self.temperature, 0.01)

    def start(self, context: TaskContext) -> None:
        """Put a copy of the model as it was before the task on the device of the model."""
        if context.index > 0 or self.first_task:
            teacher = context.before().to(context.model.device)
            self._teacher.append(teacher.eval().requires_grad_(False))

    def extra_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """The distillation loss at the positions that predict the answer's tokens."""
        if not self._teacher:
            return None
        answers = batch["labels"][:, 1:] != IGNORED
        with torch.no_grad():
            before = self._teacher[-1](
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                use_cache=False,
            ).logits
            before = text_logits(before, batch["labels"].shape[1])
        divergence = kl_div(
            self._softened(logits[:, :-1][answers]),
            self._softened(before[:, :-1][answers]),
            reduction="batchmean",
            log_target=True,
        )
        return self.weight * divergence

    def _softened(self, logits: Tensor) -> Tensor:
        """(N, vocabulary) log-probabilities at the temperature, in float32 or wider."""
        wide = torch.promote_types(logits.dtype, torch.float32)
        return log_softmax(logits.to(wide) / self.temperature, dim=-1)

    def finish(self) -> None:
        """Release the copy."""
        self._teacher.clear()
