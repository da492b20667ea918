"""Multiple choice on a model: the likelihood of every choice, and the share chosen rightly."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, TrainingError
from fggm_lab.evaluation.answers import fitting
from fggm_lab.evaluation.generate import EXTRA_TOKENS, generate, to_device
from fggm_lab.models import context_length
from fggm_lab.models.encoding import Encoded, batches_by_length, collate, encode
from fggm_lab.tasks import Example
from fggm_lab.tasks.choices import Choice, answered, check_choose, most_likely

BATCH = 64


@dataclass(frozen=True)
class _Question:
    """A question as token ids: its prompt's, and those of each choice, without an end token."""

    prompt: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]


def _tokenised(
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Choice],
    max_length: int,
    context: int,
    where: str = "",
) -> list[_Question]:
    """Every choice of a question follows the same prompt, cut to leave room for the longest."""
    flat = [Example(item.prompt, choice) for item in items for choice in item.choices]
    numbers = [number for number, item in enumerate(items) for _ in item.choices]
    encoded = encode(tokenizer, flat, max_length, numbers, where=where, context=context)
    questions, first = [], 0
    for number, item in enumerate(items):
        own = encoded[first : first + len(item.choices)]
        first += len(item.choices)
        choices = tuple(one.answer[:-1] for one in own)
        if not all(choices):
            raise DataError(
                f"{where}{': ' if where else ''}a choice of question {number} has no token in this "
                "model's tokenizer; reword it"
            )
        questions.append(_Question(min((one.prompt for one in own), key=len), choices))
    return questions


@torch.no_grad()
def _likelihoods(
    model: PreTrainedModel, questions: Sequence[_Question], pad: int, batch_size: int
) -> list[list[float]]:
    """Log-likelihood of each choice after its prompt, nats, summed over its tokens.

    What a model reads to predict a choice ends before the choice's last token; choices of one token
    share one pass over their prompt.
    """
    wanted: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number, question in enumerate(questions):
        for place, choice in enumerate(question.choices):
            wanted.setdefault(question.prompt + choice[:-1], []).append((number, place))
    inputs = [Encoded(ids, (), False) for ids in wanted]
    found = [[0.0] * len(question.choices) for question in questions]
    vocabulary = model.get_input_embeddings().weight.shape[0]
    for indices in fitting(batches_by_length(inputs, batch_size), inputs, vocabulary):
        batch = to_device(collate([inputs[i] for i in indices], pad), model.device)
        batch.pop("labels")
        logits = model(**batch, use_cache=False).logits
        for row, index in enumerate(indices):
            for number, place in wanted[inputs[index].prompt]:
                question = questions[number]
                choice, start = question.choices[place], len(question.prompt) - 1
                rows = logits[row, start : start + len(choice)].float().log_softmax(-1)
                ids = torch.tensor(choice, device=rows.device).unsqueeze(1)
                found[number][place] = float(rows.gather(1, ids).sum())
    return found


def choice_likelihoods(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Choice],
    *,
    max_length: int,
    batch_size: int = BATCH,
) -> list[list[float]]:
    """Log-likelihood of each choice of each question after its prompt.

    Prompt and choice are tokenised apart, as answers are; no end token counts.

    Args:
        max_length: tokens of a prompt with a choice; longer prompts are cut from the left, to the
            same length for all choices of a question.

    Returns:
        One list per question: nats, summed over each choice's tokens.

    Raises:
        DataError: a choice does not fit, or has no token.
    """
    questions = _tokenised(tokenizer, items, max_length, context_length(model))
    return _likelihoods(model, questions, tokenizer.pad_token_id, batch_size)


def choice_accuracy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    skills: Mapping[str, Sequence[Choice]],
    by: str,
    *,
    max_length: int,
    batch_size: int = BATCH,
) -> dict[str, float]:
    """The share of questions whose right choice is made, of each skill.

    Args:
        skills: name → questions.
        by: how a choice is made, a key of `fggm_lab.tasks.CHOOSE`.
        max_length: tokens of a prompt with a choice.

    Raises:
        SettingError: choices cannot be made so.
        TrainingError: a likelihood is not a number, so the weights are broken.
    """
    check_choose(by)
    items = [item for questions in skills.values() for item in questions]
    if not items:
        return {}
    questions = [
        question
        for name, own in skills.items()
        for question in _tokenised(
            tokenizer, own, max_length, context_length(model), f"skill {name}"
        )
    ]
    made: list[int | None]
    if by == "generation":
        most = [EXTRA_TOKENS + max(map(len, question.choices)) for question in questions]
        texts = generate(model, tokenizer, [q.prompt for q in questions], most, batch_size)
        made = [answered(item, text) for item, text in zip(items, texts, strict=True)]
    else:
        sums = _likelihoods(model, questions, tokenizer.pad_token_id, batch_size)
        if not all(math.isfinite(value) for one in sums for value in one):
            raise TrainingError("the likelihood of the choices is not a number")
        made = [
            most_likely(item, one, [len(choice) for choice in question.choices], by)
            for item, one, question in zip(items, sums, questions, strict=True)
        ]
    right = iter([place == item.label for item, place in zip(items, made, strict=True)])
    return {
        name: sum(next(right) for _ in questions) / len(questions)
        for name, questions in skills.items()
    }
