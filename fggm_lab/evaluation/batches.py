"""Batches whose logits fit into memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.models.answer_logits import answer_positions, keeps_positions
from fggm_lab.models.encoding import Encoded, batches_by_length, collate, to_device

LOGIT_BYTES = 2**32
"""The most memory the logits of one forward pass and what is computed from them may take."""

LONGER = 1.5
"""How many times as long as the shortest of a batch its longest example may be: padding is work."""


@dataclass(frozen=True)
class AnswerBatch:
    """Prompts with their right answers, ready for `fggm_lab.models.answer_logits.logits_at`.

    Attributes:
        indices: of the B examples.
        inputs: arguments of the model's forward pass, each (B, T).
        positions: (B, n), those that predict a token of an answer.
        targets: (B, n), these tokens; `IGNORED` where an answer is shorter than the longest.
    """

    indices: list[int]
    inputs: dict[str, Tensor]
    positions: Tensor
    targets: Tensor


def answer_batches(
    model: PreTrainedModel, encoded: Sequence[Encoded], pad: int, size: int, models: int = 1
) -> Iterator[AnswerBatch]:
    """Examples in batches of similar length, on the model's device.

    Args:
        model: the model.
        encoded: the examples as token ids.
        pad: the id of the padding token.
        size: examples per batch, fewer where their logits would not fit.
        models: how many models' logits are held at once.

    Yields:
        The batches, each example in one of them.
    """
    predicted = [len(item.answer) for item in encoded]
    for indices in fitting_batches(model, encoded, predicted, size, models):
        inputs = to_device(collate([encoded[i] for i in indices], pad), model.device)
        yield AnswerBatch(indices, inputs, *answer_positions(inputs.pop("labels")))


def fitting_batches(
    model: PreTrainedModel,
    encoded: Sequence[Encoded],
    predicted: Sequence[int],
    size: int,
    models: int = 1,
) -> Iterator[list[int]]:
    """The indices of examples, in batches of similar length whose logits fit into `LOGIT_BYTES`.

    Args:
        model: the model.
        encoded: the examples as token ids.
        predicted: at how many positions of each example logits are needed.
        size: the most examples of a batch.
        models: how many models' logits are held at once.

    Yields:
        The indices of one batch.
    """
    vocabulary = model.get_input_embeddings().weight.shape[0]
    positions = predicted if keeps_positions(model) else [len(item) for item in encoded]
    for similar in batches_by_length(encoded, size):
        batch: list[int] = []
        for i in similar:
            # In float32: the logits, a copy in the loss's layout, their logarithmic softmax.
            longest = max([1, *(positions[j] for j in [*batch, i])])
            room = LOGIT_BYTES // (12 * models * longest * vocabulary)
            if batch and (len(batch) >= room or len(encoded[i]) > LONGER * len(encoded[batch[0]])):
                yield batch
                batch = []
            batch.append(i)
        yield batch
