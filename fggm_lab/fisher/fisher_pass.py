"""One pass over the examples: what an estimator reads, and where it puts the squares."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer
from transformers import PreTrainedModel

from fggm_lab.errors import ModelError
from fggm_lab.fisher.factors import widen
from fggm_lab.fisher.likelihood import AnswerLikelihood
from fggm_lab.fisher.objectives import EXAMPLE_NUMBERS
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.models.encoding import Encoded, collate
from fggm_lab.models.modes import requiring_grad


@dataclass(frozen=True)
class FisherPass:
    """The model, the examples, the settings, and the sums that the squares are added to.

    Attributes:
        model: in evaluation mode.
        encoded: the examples.
        numbers: the index of each in what the caller passed, for errors and draws.
        pad: the padding token.
        batch_size: the most examples per pass.
        sums: the sums that an estimator fills.
        draws: how many labels are drawn at every answer position.
        seed: of the drawn labels.
        optimizer: whose state is read, if any.
        memory_budget: bytes, if bounded.
    """

    model: PreTrainedModel
    encoded: Sequence[Encoded]
    numbers: Sequence[int]
    pad: int
    batch_size: int
    sums: SquareSums
    draws: int = 1
    seed: int = 0
    optimizer: Optimizer | None = None
    memory_budget: int | None = None

    def load(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """The padded batch of some examples, on the model's device."""
        return self.padded([self.encoded[i] for i in indices], [self.numbers[i] for i in indices])

    def padded(self, examples: Sequence[Encoded], numbers: Sequence[int]) -> dict[str, Tensor]:
        """The padded batch of any encoded examples, on the model's device."""
        batch = collate(examples, self.pad) | {EXAMPLE_NUMBERS: torch.tensor(numbers)}
        return {name: tensor.to(self.model.device) for name, tensor in batch.items()}

    def batches(self, fits: Callable[[Sequence[int]], bool]) -> Iterator[list[int]]:
        """Batches of similar length; of equal length, so without padding, in float64.

        Transformers' eager attention takes its softmax in float32 whatever the model's dtype, and
        its rounding depends on the padding: 1e-7, far above what float64 is used for.

        Args:
            fits: whether some examples, in order of length, may share a batch; one alone always
                does.

        Yields:
            The indices of the examples of one batch.
        """
        equal = self.model.dtype == torch.float64
        batch: list[int] = []
        for index in sorted(range(len(self.encoded)), key=lambda i: len(self.encoded[i])):
            longer = batch and len(self.encoded[index]) > len(self.encoded[batch[-1]])
            full = len(batch) == self.batch_size
            if batch and (full or (equal and longer) or not fits([*batch, index])):
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def fault(self, indices: Sequence[int]) -> ModelError:
        """Why a batch gave no finite number: its examples again, one by one, by autograd alone."""
        remedy = "load the model in float32, or go back to a sound checkpoint"
        likelihood = AnswerLikelihood(self.model)
        parameters = self.sums.parameters
        for index in indices:
            where = f"example {self.numbers[index]}"
            with requiring_grad(self.model.parameters(), parameters.values()):
                value = likelihood(self.load([index]))
                if not torch.isfinite(value):
                    return ModelError(
                        f"the log-likelihood of {where} is {float(value.detach())}; {remedy}"
                    )
                gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
            for name, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None and not widen(gradient).square().sum().isfinite():
                    return ModelError(f"the gradient of {name} for {where} is not finite; {remedy}")
        numbers = ", ".join(str(self.numbers[index]) for index in indices)
        return ModelError(
            f"the scores of {self.sums.unsound()} are not finite after the batch of the examples "
            f"{numbers}; {remedy}"
        )
