"""Multiple choice on a model: the likelihood of every choice, and the share chosen rightly."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.distributed import gathered
from fggm_lab.errors import DataError, TrainingError
from fggm_lab.evaluation.batches import fitting_batches
from fggm_lab.evaluation.generate import EXTRA_TOKENS, generate_decided
from fggm_lab.models import context_length
from fggm_lab.models.answer_logits import logits_at
from fggm_lab.models.encoding import Encoded, collate, encode, to_device
from fggm_lab.tasks import ChooseBy, Example
from fggm_lab.tasks.multiple_choice import (
    Choice,
    check_choose,
    chosen_by_text,
    is_choice_decided,
    most_likely,
)


@dataclass(frozen=True)
class TokenisedQuestion:
    """A question as token ids.

    Attributes:
        prompt: the prompt's.
        choices: those of each choice, without an end token.
        truncated: whether the prompt was cut from the left.
    """

    prompt: tuple[int, ...]
    choices: tuple[tuple[int, ...], ...]
    truncated: bool = False


@dataclass(frozen=True)
class ChoiceScore:
    """How well the questions of one skill are answered.

    Attributes:
        accuracy: the share whose right choice is made, from 0 to 1.
        truncated: how many prompts were cut from the left to fit.
    """

    accuracy: float
    truncated: int


def tokenise(
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Choice],
    max_length: int,
    context: int,
    where: str = "",
) -> list[TokenisedQuestion]:
    """Turn questions into token ids; prompt and choice are tokenised apart, as answers are.

    Args:
        tokenizer: the model's.
        questions: with their choices.
        max_length: tokens of a prompt with a choice. A longer prompt is cut from the left, to the
            same length for all choices of a question.
        context: tokens that the model can read at once, for messages.
        where: what the questions belong to, for messages.

    Returns:
        One for each question.

    Raises:
        DataError: a choice does not fit, or has no token.
    """
    # Every choice is encoded as an answer of its own to the question's prompt: `flat` has as many
    # entries as there are choices, and `numbers` says which question each belongs to.
    flat = [Example(question.prompt, text) for question in questions for text in question.choices]
    numbers = [number for number, question in enumerate(questions) for _ in question.choices]
    encoded = iter(
        encode(tokenizer, flat, max_length, numbers, where=where, context=context, skippable=True)
    )
    tokenised = []
    for number, question in enumerate(questions):
        pairs = [next(encoded) for _ in question.choices]
        choices = tuple(pair.answer[:-1] for pair in pairs)
        if not all(choices):
            raise DataError(
                f"{where}{': ' if where else ''}a choice of question {number} has no token in this "
                "model's tokenizer; reword it"
            )
        shortest = min(pairs, key=lambda pair: len(pair.prompt))
        tokenised.append(TokenisedQuestion(shortest.prompt, choices, shortest.truncated))
    return tokenised


@torch.no_grad()
def log_likelihoods(
    model: PreTrainedModel, questions: Sequence[TokenisedQuestion], pad: int, batch_size: int
) -> list[list[float]]:
    """Log-likelihood of each choice of each question after its prompt; no end token counts.

    The token at position t is predicted from those before it, so that the model reads the prompt
    and all of a choice but its last token. Choices of one token therefore share one forward pass
    over their prompt, and so do all others with equal inputs.

    Args:
        model: in evaluation mode.
        questions: as token ids.
        pad: the id of the padding token.
        batch_size: inputs per forward pass, fewer where their logits would not fit.

    Returns:
        One list per question: nats, summed over each choice's tokens.
    """
    return gathered(questions, lambda part: _log_likelihoods(model, part, pad, batch_size))


def _log_likelihoods(
    model: PreTrainedModel, questions: Sequence[TokenisedQuestion], pad: int, batch_size: int
) -> list[list[float]]:
    """What `log_likelihoods` gives, in this process."""
    # Input → the (question, choice) pairs that are read off its logits.
    readers: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for number, question in enumerate(questions):
        for index, choice in enumerate(question.choices):
            readers.setdefault(question.prompt + choice[:-1], []).append((number, index))
    inputs = [Encoded(ids, (), False) for ids in readers]
    # Where each input's first logits are read; those of its last token are read by a choice, too.
    starts = [
        min(len(questions[number].prompt) for number, _ in pairs) - 1 for pairs in readers.values()
    ]
    predicted = [len(item) - start for item, start in zip(inputs, starts, strict=True)]
    sums = [[0.0] * len(question.choices) for question in questions]
    for indices in fitting_batches(model, inputs, predicted, batch_size):
        batch = to_device(collate([inputs[i] for i in indices], pad), model.device)
        batch.pop("labels")
        first = torch.tensor([starts[i] for i in indices], device=model.device)
        positions = first[:, None] + torch.arange(
            max(predicted[i] for i in indices), device=model.device
        )
        positions = positions.clamp(max=batch["input_ids"].shape[1] - 1)
        _, logits = logits_at(model, batch, positions)
        pairs = [pair for i in indices for pair in readers[inputs[i].prompt]]
        rows = [row for row, i in enumerate(indices) for _ in readers[inputs[i].prompt]]
        choices = [questions[number].choices[index] for number, index in pairs]
        # One copy to the device and one back for a batch: each waits for the GPU.
        ids = torch.tensor([token for choice in choices for token in choice], device=model.device)
        totals = []
        for (number, _), row, choice in zip(
            pairs, rows, ids.split([len(choice) for choice in choices]), strict=True
        ):
            start = len(questions[number].prompt) - 1 - starts[indices[row]]
            predictions = logits[row, start : start + len(choice)].float().log_softmax(-1)
            totals.append(predictions.gather(1, choice.unsqueeze(1)).sum())
        for (number, index), total in zip(pairs, torch.stack(totals).tolist(), strict=True):
            sums[number][index] = total
    return sums


def choice_accuracy(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    skills: Mapping[str, Sequence[Choice]],
    by: ChooseBy,
    *,
    max_length: int,
    batch_size: int = 64,
) -> dict[str, float]:
    """The share of questions whose right choice is made, of each skill.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        skills: name → questions.
        by: how a choice is made, a key of `fggm_lab.tasks.CHOOSE`.
        max_length: tokens of a prompt with a choice; longer prompts are cut from the left.
        batch_size: inputs per forward pass.

    Returns:
        Skill → accuracy, from 0 to 1.

    Raises:
        SettingError: choices cannot be made so.
        DataError: a choice does not fit, or has no token.
        TrainingError: a likelihood is not a number, so the weights are broken.
    """
    scores = choice_scores(
        model, tokenizer, skills, by, max_length=max_length, batch_size=batch_size
    )
    return {name: score.accuracy for name, score in scores.items()}


def choice_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    skills: Mapping[str, Sequence[Choice]],
    by: ChooseBy,
    *,
    max_length: int,
    batch_size: int = 64,
) -> dict[str, ChoiceScore]:
    """As `choice_accuracy`, with how many prompts were cut."""
    check_choose(by)
    context = context_length(model)
    questions = [question for skill in skills.values() for question in skill]
    if not questions:
        return {}
    tokenised = [
        question
        for name, skill in skills.items()
        for question in tokenise(tokenizer, skill, max_length, context, f"skill {name}")
    ]
    chosen: list[int | None]
    if by == "generation":
        limits = [EXTRA_TOKENS + max(map(len, question.choices)) for question in tokenised]
        prompts = [question.prompt for question in tokenised]
        texts = generate_decided(
            model,
            tokenizer,
            prompts,
            limits,
            lambda index, text: is_choice_decided(questions[index], text),
            batch_size,
        )
        chosen = [chosen_by_text(q, text) for q, text in zip(questions, texts, strict=True)]
    else:
        sums = log_likelihoods(model, tokenised, tokenizer.pad_token_id, batch_size)
        if not all(math.isfinite(total) for choices in sums for total in choices):
            raise TrainingError("the likelihood of the choices is not a number")
        lengths = [[len(choice) for choice in question.choices] for question in tokenised]
        chosen = [most_likely(*row, by) for row in zip(questions, sums, lengths, strict=True)]
    right = [index == q.label for index, q in zip(chosen, questions, strict=True)]
    answered = iter(zip(right, tokenised, strict=True))
    scores = {}
    for name, skill in skills.items():
        answers = [next(answered) for _ in skill]
        accuracy = sum(is_right for is_right, _ in answers) / len(answers)
        scores[name] = ChoiceScore(accuracy, sum(question.truncated for _, question in answers))
    return scores
