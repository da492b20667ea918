"""Texts that a model drew, with its log-probabilities on them: the reference of a later model.

Each text keeps the log-probabilities of its likeliest next tokens and of all others together, so
that a divergence from the model that drew it needs no second model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import log_softmax
from transformers import PreTrainedModel

from fggm_lab.fisher.factors import widen
from fggm_lab.methods.base import Memory
from fggm_lab.models.encoding import Encoded, collate, text_logits
from fggm_lab.models.modes import evaluating

MEMORY_PREFIX = "self-kl."
"""What the keys of texts and openings in a method's memory begin with."""
_OPENINGS = f"{MEMORY_PREFIX}openings"
_TEXTS_PER_PASS = 32
"""Texts per forward pass where log-probabilities are recorded."""


@dataclass(frozen=True)
class ReferenceText:
    """A text, and reference log-probabilities: those of the model that drew it.

    Attributes:
        ids: its T token ids, the beginning token first.
        likeliest: the ids of the k likeliest tokens at each position but the first, (T − 1, k).
        log_probabilities: of these, and of all others together, (T − 1, k + 1), float32; the last
            is −∞ where k is the vocabulary.
    """

    ids: tuple[int, ...]
    likeliest: Tensor
    log_probabilities: Tensor


@torch.no_grad()
def record_reference(
    model: PreTrainedModel, texts: Sequence[tuple[int, ...]], top: int
) -> list[ReferenceText]:
    """Record a model's log-probabilities at each token of texts, to hold a later model to them.

    Args:
        model: a causal language model.
        texts: token ids, two or more of each.
        top: how many log-probabilities are kept of each token, at most the vocabulary.

    Returns:
        One for each text, on the CPU.
    """
    references: list[ReferenceText] = []
    with evaluating(model):
        for start in range(0, len(texts), _TEXTS_PER_PASS):
            part = texts[start : start + _TEXTS_PER_PASS]
            batch = collate([Encoded(ids, (), False) for ids in part], 0)
            output = model(
                input_ids=batch["input_ids"].to(model.device),
                attention_mask=batch["attention_mask"].to(model.device),
                use_cache=False,
            )
            logits = text_logits(output.logits, batch["input_ids"].shape[1])
            for ids, rows in zip(part, logits, strict=True):
                positions = widen(rows[: len(ids) - 1])
                likeliest = positions.topk(min(top, positions.shape[-1]), dim=-1).indices
                reference = with_rest(positions, likeliest).float().cpu()
                references.append(ReferenceText(ids, likeliest.cpu(), reference))
    return references


def with_rest(logits: Tensor, index: Tensor) -> Tensor:
    """Log-probabilities of some tokens, and of all others together.

    Args:
        logits: (N, vocabulary), in float32 or wider.
        index: (N, k), the tokens' ids.

    Returns:
        (N, k + 1); the last column is −∞ where k is the vocabulary.
    """
    log_p = log_softmax(logits, dim=-1)
    # Summing the others keeps what 1 − the sum of the chosen would lose to rounding.
    others = log_p.scatter(1, index, -torch.inf).logsumexp(1, keepdim=True)
    return torch.cat([log_p.gather(1, index), others], 1)


def divergence(logits: Tensor, texts: Sequence[ReferenceText]) -> Tensor:
    """KL(p_then ‖ p_now) summed over texts' tokens, the less likely tokens taken as one.

    Args:
        logits: of the model now, at the positions that predict the tokens of one text after the
            other, (N, vocabulary).
        texts: with reference log-probabilities at N tokens in all.

    Returns:
        A scalar, nats. As tokens are put together, it is at most the divergence over the whole
        vocabulary.
    """
    likeliest = torch.cat([text.likeliest for text in texts]).to(logits.device)
    reference = torch.cat([text.log_probabilities for text in texts]).to(logits.device)
    if likeliest.shape[1] == logits.shape[1]:  # no others: 0 · (−∞ + ∞) would be no number
        now = log_softmax(widen(logits), dim=-1).gather(1, likeliest)
        reference = reference[:, :-1]
    else:
        now = with_rest(widen(logits), likeliest)
    return (reference.exp() * (reference - now)).sum()


def store_texts(memory: Memory, task: int, texts: Sequence[ReferenceText]) -> None:
    """Write the texts that the model drew before a task into the memory.

    Args:
        memory: of the method.
        task: the task's position in the sequence, from 0.
        texts: what to remember; their ids are written one text after the other.
    """
    name = f"{MEMORY_PREFIX}{task:04d}."
    memory[f"{name}ids"] = torch.tensor([i for t in texts for i in t.ids], dtype=torch.int32)
    memory[f"{name}lengths"] = torch.tensor([len(t.ids) for t in texts], dtype=torch.int32)
    memory[f"{name}likeliest"] = torch.cat([t.likeliest for t in texts]).to(torch.int32)
    memory[f"{name}log_probabilities"] = torch.cat([t.log_probabilities for t in texts])


def stored_texts(memory: Memory) -> dict[int, list[ReferenceText]]:
    """Read the texts from the memory, by the task before which they were drawn, in order."""
    stages = {}
    for key in sorted(k for k in memory if k.startswith(MEMORY_PREFIX) and k.endswith(".lengths")):
        name = key.removesuffix("lengths")
        lengths = memory[key].tolist()
        predicted = [length - 1 for length in lengths]
        parts = zip(
            memory[f"{name}ids"].split(lengths),
            memory[f"{name}likeliest"].long().split(predicted),
            memory[f"{name}log_probabilities"].split(predicted),
            strict=True,
        )
        task = int(name.removeprefix(MEMORY_PREFIX).removesuffix("."))
        stages[task] = [ReferenceText(tuple(ids.tolist()), top, log_p) for ids, top, log_p in parts]
    return stages


def store_openings(memory: Memory, openings: Sequence[tuple[int, ...]]) -> None:
    """Write the first tokens of the texts that are drawn next into the memory.

    Args:
        memory: of the method.
        openings: token ids, none or a few each; written as rows filled up with −1.
    """
    rows = torch.full((len(openings), max(map(len, openings), default=0)), -1, dtype=torch.int32)
    for row, opening in zip(rows, openings, strict=True):
        row[: len(opening)] = torch.tensor(opening, dtype=torch.int32)
    memory[_OPENINGS] = rows


def taken_openings(memory: Memory) -> list[tuple[int, ...]]:
    """Take what `store_openings` wrote out of the memory; nothing where there is nothing."""
    rows = memory.pop(_OPENINGS, torch.empty(0, 0))
    return [tuple(i for i in row if i >= 0) for row in rows.tolist()]
