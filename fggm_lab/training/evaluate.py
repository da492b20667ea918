"""Scoring a model: its own metric, the strict match and the likelihood of every task."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, TrainingError
from fggm_lab.models.encoding import IGNORED, Encoded, batches_by_length, collate, encode
from fggm_lab.tasks import METRICS, Example, General, Task

Key = TypeVar("Key", bound=Hashable)

EXTRA_TOKENS = 4
"""How much longer than the longest right answer a generated one may grow."""


@dataclass(frozen=True)
class TaskScore:
    """How well one set of examples is answered.

    Attributes:
        score: mean of the task's own metric over greedy answers, 0 to 1.
        exact: share of answers that are right token by token.
        nll: negative log-likelihood of the right answers, nats per token.
        examples: how many were scored.
    """

    score: float
    exact: float
    nll: float
    examples: int


def _to(batch: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}


@torch.no_grad()
def _teacher_forced(
    model: PreTrainedModel, encoded: Sequence[Encoded], pad: int, batch_size: int
) -> tuple[list[bool], list[float]]:
    """For each example: is every answer token the model's first choice, and its summed NLL."""
    right, nll = [False] * len(encoded), [0.0] * len(encoded)
    for indices in batches_by_length(encoded, batch_size):
        batch = _to(collate([encoded[i] for i in indices], pad), model.device)
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


@torch.no_grad()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: Sequence[int],
    batch_size: int = 64,
) -> list[str]:
    """Greedy answers to tokenised prompts, in batches padded on the left.

    Args:
        max_new_tokens: for each prompt, the most tokens its answer may have; a batch of prompts
            with similar limits is generated to the largest of them, and each answer is cut.

    Returns:
        the decoded answers in the prompts' order, special tokens removed.
    """
    pad = tokenizer.pad_token_id
    items = [Encoded(tuple(prompt), (), False) for prompt in prompts]
    answers = [""] * len(items)
    order = sorted(range(len(items)), key=lambda i: (max_new_tokens[i], len(items[i])))
    for first in range(0, len(order), batch_size):
        indices = order[first : first + batch_size]
        batch = _to(collate([items[i] for i in indices], pad, side="left"), model.device)
        start = batch["input_ids"].shape[1]
        out = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=max_new_tokens[indices[-1]],
                pad_token_id=pad,
                eos_token_id=tokenizer.eos_token_id,
            ),
        )
        cut = [out[row, start : start + max_new_tokens[i]] for row, i in enumerate(indices)]
        texts = tokenizer.batch_decode(cut, skip_special_tokens=True)
        for i, text in zip(indices, texts, strict=True):
            answers[i] = text
    return answers


def _longest_answers(encoded: Sequence[Encoded], metric: str) -> int:
    """How many tokens an answer to one of these may have before it is cut."""
    longest = max(len(item.answer) for item in encoded)
    # Exact match is lost beyond the longest right answer; ScienceQA looks at one character.
    return {"accuracy": longest, "first_character": 1}.get(metric, longest + EXTRA_TOKENS)


def score_sets(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sets: Mapping[Key, tuple[Sequence[Example], str]],
    *,
    max_length: int,
    batch_size: int = 64,
    sample: bool = False,
) -> dict[Key, TaskScore]:
    """Score greedy answers to several sets of examples at once.

    An answer whose every token is the model's first choice under teacher forcing *is* the greedy
    answer, so only the others are generated. With `sample`, exact-match sets skip even that and
    count them as wrong; they then differ from the full score only where a model writes the right
    text with other tokens.

    Args:
        sets: name → (examples, a key of `METRICS`).
        max_length: tokens per example; longer prompts are cut from the left.
    """
    encoded = {n: encode(tokenizer, examples, max_length) for n, (examples, _) in sets.items()}
    flat = [(name, i) for name in sets for i in range(len(encoded[name]))]
    items = [encoded[name][i] for name, i in flat]
    right, nll = _teacher_forced(model, items, tokenizer.pad_token_id, batch_size)
    wrong = [
        at
        for at, (name, _) in enumerate(flat)
        if not right[at] and not (sample and sets[name][1] == "accuracy")
    ]
    limits = {name: _longest_answers(encoded[name], metric) for name, (_, metric) in sets.items()}
    answers = dict(
        zip(
            wrong,
            generate(
                model,
                tokenizer,
                [items[at].prompt for at in wrong],
                [limits[flat[at][0]] for at in wrong],
                batch_size,
            ),
            strict=True,
        )
    )
    found: dict[Key, list[tuple[float, bool, float]]] = {name: [] for name in sets}
    for at, (name, i) in enumerate(flat):
        examples, metric = sets[name]
        example = examples[i]
        text = example.answer if right[at] else answers.get(at)
        score = 0.0 if text is None else METRICS[metric](example.prompt, text, example.answer)
        found[name].append((score, right[at], nll[at]))
    return {
        name: TaskScore(
            score=sum(score for score, _, _ in rows) / len(rows),
            exact=sum(ok for _, ok, _ in rows) / len(rows),
            nll=sum(loss for _, _, loss in rows) / sum(len(item.answer) for item in encoded[name]),
            examples=len(rows),
        )
        for name, rows in found.items()
    }


@torch.no_grad()
def text_loss(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    *,
    max_length: int,
    batch_size: int = 16,
    max_tokens: int | None = None,
) -> float:
    """Held-out loss of a text, nats per token, in windows of at most `max_length` tokens.

    Raises:
        DataError: the text has fewer than two tokens.
    """
    ids = tokenizer(text, add_special_tokens=False)["input_ids"][:max_tokens]
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    size = max_length - len(begin)
    windows = [begin + ids[i : i + size] for i in range(0, len(ids), size)]
    windows = [window for window in windows if len(window) > 1]
    if not windows:
        raise DataError("the text for General has fewer than two tokens; give a longer text")
    # The first token of a window is given, every later one is predicted.
    items = [Encoded(tuple(window[:1]), tuple(window[1:]), False) for window in windows]
    _, nll = _teacher_forced(model, items, tokenizer.pad_token_id, batch_size)
    return sum(nll) / sum(len(item.answer) for item in items)


def evaluate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: Sequence[Task],
    general: General | None,
    *,
    split: str,
    max_length: int,
    batch_size: int = 128,
    sample: int | None = None,
) -> dict[str, Any]:
    """Score all `tasks` and General with dropout off.

    General is the mean exact match over skills, or the held-out loss of a text.

    Args:
        split: `test` or `eval`.
        sample: score only the first so many examples of each set, and 40 times as many tokens of
            a text (for the points along a curve).

    Returns:
        `{"tasks": {name: {"score", "exact", "nll", "examples"}},
        "general": {"score", "skills"} | None}`.

    Raises:
        TrainingError: a likelihood is not a number, so the weights are broken.
    """
    sets = {("task", task.name): (task.split(split)[:sample], task.metric) for task in tasks}
    if general is not None:
        for name, examples in general.skills.items():
            sets["skill", name] = (examples[:sample], "accuracy")
    training = model.training
    model.eval()
    try:
        scores = score_sets(
            model,
            tokenizer,
            sets,
            max_length=max_length,
            batch_size=batch_size,
            sample=sample is not None,
        )
        ability: dict[str, Any] | None = None
        if general is not None and general.text is not None:
            tokens = None if sample is None else 40 * sample
            loss = text_loss(
                model, tokenizer, general.text, max_length=max_length, max_tokens=tokens
            )
            ability = {"score": loss, "skills": {}}
        elif general is not None:
            skills = {name: scores["skill", name].score for name in general.skills}
            ability = {"score": sum(skills.values()) / len(skills), "skills": skills}
    finally:
        model.train(training)
    if not all(math.isfinite(score.nll) for score in scores.values()):
        raise TrainingError("the likelihood of the answers is not a number")
    named = {name: asdict(score) for (kind, name), score in scores.items() if kind == "task"}
    return {"tasks": named, "general": ability}
