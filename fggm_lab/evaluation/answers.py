"""Answering sets of examples: likelihoods under teacher forcing, greedy texts, their scores."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.evaluation.generate import generate, longest_answer, to_device
from fggm_lab.models import context_length
from fggm_lab.models.encoding import IGNORED, Encoded, batches_by_length, collate, encode
from fggm_lab.tasks import METRICS, PASS_AT_1, Example
from fggm_lab.tasks.code import cut_completion, passes, program_text

Key = TypeVar("Key", bound=Hashable)

LOGIT_BYTES = 2**32
"""The most memory the logits of one forward pass and what is computed from them may take."""


@dataclass(frozen=True)
class Answer:
    """One example, answered.

    Attributes:
        prediction: the greedy answer; None where it was not generated.
        score: what the set's metric gives it, 0 to 1.
        exact: whether it is right token by token.
        nll: negative log-likelihood of the right answer, nats, summed over its `tokens`.
    """

    prediction: str | None
    score: float
    exact: bool
    nll: float
    tokens: int


@torch.no_grad()
def teacher_forced(
    model: PreTrainedModel, encoded: Sequence[Encoded], pad: int, batch_size: int
) -> tuple[list[bool], list[float]]:
    """For each example: is every answer token the model's first choice, and its summed NLL."""
    right, nll = [False] * len(encoded), [0.0] * len(encoded)
    vocabulary = model.get_input_embeddings().weight.shape[0]
    for indices in fitting(batches_by_length(encoded, batch_size), encoded, vocabulary):
        batch = to_device(collate([encoded[i] for i in indices], pad), model.device)
        labels = batch.pop("labels")[:, 1:]
        logits = model(**batch, use_cache=False).logits[:, :-1]
        counted = labels != IGNORED
        losses = torch.nn.functional.cross_entropy(
            logits.float().transpose(1, 2), labels, ignore_index=IGNORED, reduction="none"
        )
        correct = ((logits.argmax(dim=-1) == labels) | ~counted).all(dim=1)
        for i, ok, loss in zip(indices, correct.tolist(), losses.sum(1).tolist(), strict=True):
            right[i], nll[i] = ok, loss
    return right, nll


def fitting(
    batches: Iterable[list[int]], encoded: Sequence[Encoded], vocabulary: int
) -> Iterator[list[int]]:
    """The batches, cut where their logits would take more than `LOGIT_BYTES`."""
    for batch in batches:
        longest = max(len(encoded[i]) for i in batch)
        # In float32: the logits, a copy in the loss's layout, their logarithmic softmax.
        rows = max(1, LOGIT_BYTES // (12 * longest * vocabulary))
        for first in range(0, len(batch), rows):
            yield batch[first : first + rows]


def answer_sets(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sets: Mapping[Key, tuple[Sequence[Example], str]],
    *,
    max_length: int,
    max_new_tokens: Mapping[Key, int] | None = None,
    batch_size: int = 64,
    sample: bool = False,
    allow_code_execution: bool = False,
) -> dict[Key, list[Answer]]:
    """Greedy answers to several sets of examples at once, scored one by one.

    An answer whose every token is the model's first choice under teacher forcing *is* the greedy
    answer, so only the others are generated. With `sample`, exact-match sets skip even that and
    count them as wrong; they then differ from the full score only where a model writes the right
    text with other tokens.

    Args:
        sets: name → (examples, a key of `METRICS` or `pass_at_1`).
        max_length: tokens per example; longer prompts are cut from the left.
        max_new_tokens: name → the most tokens of a generated answer; of a set without a number as
            many as can matter to its score (`longest_answer`).
        allow_code_execution: must be True where a set is scored by `pass_at_1`.

    Raises:
        DataError: an answer does not fit; the message names its set.
        SettingError: a set is scored by `pass_at_1`, and programs may not or cannot be run.
    """
    context = context_length(model)
    encoded = {
        name: encode(tokenizer, examples, max_length, where=_told(name), context=context)
        for name, (examples, _) in sets.items()
    }
    flat = [(name, i) for name in sets for i in range(len(encoded[name]))]
    items = [encoded[name][i] for name, i in flat]
    right, nll = teacher_forced(model, items, tokenizer.pad_token_id, batch_size)
    asked = max_new_tokens or {}
    limits = {name: longest_answer(encoded[name], metric) for name, (_, metric) in sets.items()}
    limits |= asked
    # Right, and no longer than asked for; the end token is no part of the text.
    known = [
        right[at] and len(items[at].answer) - 1 <= asked.get(name, len(items[at].answer))
        for at, (name, _) in enumerate(flat)
    ]
    unknown = [
        at
        for at, (name, _) in enumerate(flat)
        if not known[at] and not (sample and sets[name][1] == "accuracy")
    ]
    prompts = [items[at].prompt for at in unknown]
    most = [limits[flat[at][0]] for at in unknown]
    generated = generate(model, tokenizer, prompts, most, batch_size)
    generated_at = dict(zip(unknown, generated, strict=True))
    asked_of = [(sets[name][0][i], sets[name][1]) for name, i in flat]
    texts = [
        example.answer if known[at] else generated_at.get(at)
        for at, (example, _) in enumerate(asked_of)
    ]
    scores = _scores(asked_of, texts, allow_code_execution)
    found: dict[Key, list[Answer]] = {name: [] for name in sets}
    for at, (name, _) in enumerate(flat):
        found[name].append(Answer(texts[at], scores[at], right[at], nll[at], len(items[at].answer)))
    return found


def _told(name: Hashable) -> str:
    """A set's name in an error: `skill humaneval`."""
    return " ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _scores(
    asked: Sequence[tuple[Example, str]], texts: Sequence[str | None], allow_code_execution: bool
) -> list[float]:
    """What the metric of each example gives its text; programs are run together, at the end."""
    scores = [0.0] * len(texts)
    programs: dict[int, str] = {}
    for at, ((example, metric), text) in enumerate(zip(asked, texts, strict=True)):
        if text is None:
            continue
        if metric == PASS_AT_1:
            answer = cut_completion(example.prompt, text)
            programs[at] = program_text(example.prompt, answer, example.test)
        else:
            scores[at] = METRICS[metric](example.prompt, text, example.answer)
    if programs:
        passed = passes(list(programs.values()), allow=allow_code_execution)
        for at, one in zip(programs, passed, strict=True):
            scores[at] = float(one)
    return scores
