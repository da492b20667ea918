"""EAFT, entropy-adaptive fine-tuning (2601.02151): tokens the model is sure about teach it less."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax

from fggm_lab.checks import check_count, check_range
from fggm_lab.methods.base import Method
from fggm_lab.models.encoding import IGNORED


@dataclass(frozen=True)
class EAFT(Method):
    """Weigh each answer token's loss by the entropy of the model's prediction there.

    The loss is the mean over the answer's tokens of −H̃ log p(token), with H̃ in [0, 1] the entropy
    of the distribution over the K likeliest tokens, renormalised, divided by ln K; no gradient goes
    through H̃. A token that the model is sure about and wrong in, a confident conflict, has a high
    loss and little entropy, and so little weight. The loss that a run records stays that of plain
    fine-tuning, so that methods can be compared; the difference of the two is added to it.

    It costs the K largest logits of each answer token and a second cross-entropy, no further pass
    through the model.

    Attributes:
        top_k: K; the vocabulary's size, if that is smaller. The paper's is 20.
        exponent: the weight is H̃ to this power, 1 in the paper (the released code's `alpha`).
    """

    name: ClassVar[str] = "eaft"
    paper: ClassVar[str] = "arXiv 2601.02151"

    top_k: int = 20
    exponent: float = 1.0

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k, minimum=2)
        check_range("exponent", self.exponent, 0)

    def extra_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """The weighted loss minus the plain one, over the tokens of the answers."""
        following = batch["labels"][:, 1:]
        answers = following != IGNORED
        rows = logits[:, :-1][answers].float()  # as the plain loss, which it takes its part from
        losses = cross_entropy(rows, following[answers], reduction="none")
        weights = top_entropy(rows.detach(), self.top_k) ** self.exponent
        return ((weights - 1) * losses).mean()


def top_entropy(logits: Tensor, top_k: int) -> Tensor:
    """The normalised entropy of the likeliest tokens alone.

    Args:
        logits: (N, vocabulary).
        top_k: K, how many tokens; all of them, if there are fewer.

    Returns:
        (N,) entropy divided by ln K: 0 if one of the K has all the probability, 1 if they share it.
    """
    count = min(top_k, logits.shape[-1])
    log_shares = log_softmax(logits.topk(count, dim=-1).values, dim=-1)
    return torch.special.entr(log_shares.exp()).sum(dim=-1) / math.log(count)
