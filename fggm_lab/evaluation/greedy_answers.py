"""Answering sets of examples: likelihoods under teacher forcing, greedy texts, their scores."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.distributed import gathered, on_main
from fggm_lab.evaluation.batches import answer_batches
from fggm_lab.evaluation.generate import generate_decided, longest_answer
from fggm_lab.models import context_length
from fggm_lab.models.answer_logits import logits_at
from fggm_lab.models.encoding import IGNORED, Encoded, encode
from fggm_lab.tasks import METRICS, PASS_AT_1, Example
from fggm_lab.tasks.code import cut_completion, passes, program_text
from fggm_lab.tasks.decided import COMPARED_WHOLE, is_decided

SetName = TypeVar("SetName", bound=Hashable)
"""What names a set of examples: a task's name, or a pair such as `("skill", "arithmetic")`."""


@dataclass(frozen=True)
class AnswerSet:
    """Examples to answer, and how.

    Attributes:
        examples: in the order of the answers.
        metric: what scores them, a key of `METRICS` or `pass_at_1`.
        max_new_tokens: the most tokens of a generated answer, which goes on beyond where its score
            is not decided by then (`is_decided`); None: as many as can matter to its score
            (`longest_answer`).
        max_prompt: the most tokens of a prompt; None: as many as `max_length` leaves.
    """

    examples: Sequence[Example]
    metric: str
    max_new_tokens: int | None = None
    max_prompt: int | None = None


@dataclass(frozen=True)
class Answer:
    """A model's answer to one example.

    Attributes:
        prediction: the greedy answer; None where it was not generated.
        score: what the set's metric gives it, 0 to 1.
        exact: whether it is right token by token.
        nll: negative log-likelihood of the right answer, nats, summed over its tokens.
        tokens: how many tokens the right answer has, its end token included.
        truncated: whether the model saw the prompt cut from the left.
    """

    prediction: str | None
    score: float
    exact: bool
    nll: float
    tokens: int
    truncated: bool = False


@torch.no_grad()
def teacher_forced(
    model: PreTrainedModel, encoded: Sequence[Encoded], pad: int, batch_size: int
) -> tuple[list[bool], list[float]]:
    """Run a model over prompts followed by their right answers.

    Args:
        model: in evaluation mode.
        encoded: the examples as token ids.
        pad: the id of the padding token.
        batch_size: examples per forward pass, fewer where their logits would not fit.

    Returns:
        For each example whether every answer token is the model's first choice, and the negative
        log-likelihood of the answer in nats, summed over its tokens.
    """
    pairs = gathered(encoded, lambda items: _teacher_forced(model, items, pad, batch_size))
    return [exact for exact, _ in pairs], [nll for _, nll in pairs]


def _teacher_forced(
    model: PreTrainedModel, encoded: Sequence[Encoded], pad: int, batch_size: int
) -> list[tuple[bool, float]]:
    """What `teacher_forced` gives, example by example."""
    answers = [(False, 0.0)] * len(encoded)
    for batch in answer_batches(model, encoded, pad, batch_size):
        _, logits = logits_at(model, batch.inputs, batch.positions)
        targets = batch.targets
        # Rows of logits as they lie in memory: another order would be copied.
        losses = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1),
            targets.flatten(),
            ignore_index=IGNORED,
            reduction="none",
        ).view_as(targets)
        correct = ((logits.argmax(dim=-1) == targets) | (targets == IGNORED)).all(dim=1)
        numbers = zip(batch.indices, correct.tolist(), losses.sum(1).tolist(), strict=True)
        for i, ok, loss in numbers:
            answers[i] = ok, loss
    return answers


def answer_sets(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    sets: Mapping[SetName, AnswerSet],
    *,
    max_length: int,
    batch_size: int = 64,
    probe: bool = False,
    allow_code_execution: bool = False,
) -> dict[SetName, list[Answer]]:
    """Answer several sets of examples at once, greedily, and score each answer.

    An answer whose every token is the model's first choice under teacher forcing *is* the greedy
    answer, so only the others are generated.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        sets: by their names.
        max_length: tokens per example; longer prompts are cut from the left, in each set to the
            length that its longest right answer leaves.
        batch_size: examples per forward pass.
        probe: generate nothing for sets scored by `accuracy`, and count what is not exact as wrong;
            that differs from the full score only where a model writes the right text with other
            tokens.
        allow_code_execution: must be True where a set is scored by `pass_at_1`.

    Returns:
        The answers of each set, in the order of its examples.

    Raises:
        DataError: an answer does not fit; the message names its set.
        SettingError: a set is scored by `pass_at_1`, and programs may not or cannot be run.
    """
    context = context_length(model)
    encoded = {
        name: encode(
            tokenizer,
            answer_set.examples,
            max_length,
            where=_set_name(name),
            context=context,
            cut_alike=True,
            max_prompt=answer_set.max_prompt,
            skippable=True,
        )
        for name, answer_set in sets.items()
    }
    # All sets in one list, so that batches mix them.
    flat = [(name, i) for name in sets for i in range(len(encoded[name]))]
    inputs = [encoded[name][i] for name, i in flat]
    questions = [(sets[name].examples[i], sets[name].metric) for name, i in flat]
    exact, nll = teacher_forced(model, inputs, tokenizer.pad_token_id, batch_size)
    limits = {
        name: answer_set.max_new_tokens or longest_answer(encoded[name], answer_set.metric)
        for name, answer_set in sets.items()
    }
    correct = [
        exact[position] and _may_be_so_long(inputs[position], sets[name])
        for position, (name, _) in enumerate(flat)
    ]
    to_generate = [
        position
        for position, (_, metric) in enumerate(questions)
        if not correct[position] and not (probe and metric == "accuracy")
    ]
    texts = [
        example.answer if right else None
        for (example, _), right in zip(questions, correct, strict=True)
    ]
    prompts = [inputs[position].prompt for position in to_generate]
    token_limits = [limits[flat[position][0]] for position in to_generate]

    def decided(index: int, text: str) -> bool:
        example, metric = questions[to_generate[index]]
        return is_decided(metric, example.prompt, text, example.answer)

    generated = generate_decided(model, tokenizer, prompts, token_limits, decided, batch_size)
    for position, text in zip(to_generate, generated, strict=True):
        texts[position] = text
    scores = _scores(questions, texts, allow_code_execution)
    answers: dict[SetName, list[Answer]] = {name: [] for name in sets}
    for position, (name, _) in enumerate(flat):
        item = inputs[position]
        answers[name].append(
            Answer(
                texts[position],
                scores[position],
                exact[position],
                nll[position],
                len(item.answer),
                item.truncated,
            )
        )
    return answers


def _may_be_so_long(answered: Encoded, answer_set: AnswerSet) -> bool:
    """Whether the right answer, compared as a whole, is no longer than an answer may be."""
    limit = answer_set.max_new_tokens
    compared_whole = answer_set.metric in COMPARED_WHOLE
    tokens = len(answered.answer) - 1  # the end token is no part of the text
    return limit is None or not compared_whole or tokens <= limit


def _set_name(name: Hashable) -> str:
    """A set's name in an error: `skill humaneval`."""
    return " ".join(map(str, name)) if isinstance(name, tuple) else str(name)


def _scores(
    questions: Sequence[tuple[Example, str]],
    texts: Sequence[str | None],
    allow_code_execution: bool,
) -> list[float]:
    """Score each text by its example's metric; programs are run together, at the end."""
    scores = [0.0] * len(texts)
    programs: dict[int, str] = {}
    for position, ((example, metric), text) in enumerate(zip(questions, texts, strict=True)):
        if text is None:
            continue
        if metric == PASS_AT_1:
            answer = cut_completion(example.prompt, text)
            programs[position] = program_text(example.prompt, answer, example.test)
        else:
            scores[position] = METRICS[metric](example.prompt, text, example.answer)
    if programs:
        passed = on_main(lambda: passes(list(programs.values()), allow=allow_code_execution))
        for position, ok in zip(programs, passed, strict=True):
            scores[position] = float(ok)
    return scores
