"""Scores of single sets of examples and of single questions, without a task around them."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.evaluation import TaskScore
from fggm_lab.evaluation.choice_scoring import log_likelihoods, tokenise
from fggm_lab.evaluation.greedy_answers import AnswerSet, answer_sets
from fggm_lab.models import context_length
from fggm_lab.tasks import Choice, Example


def score_of(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    metric: str,
    **settings: Any,
) -> TaskScore:
    """The score of one set of examples; settings as those of `AnswerSet` or `answer_sets`."""
    limits = {name: settings.pop(name, None) for name in ("max_new_tokens", "max_prompt")}
    sets = {"set": AnswerSet(examples, metric, **limits)}
    return TaskScore.of(answer_sets(model, tokenizer, sets, max_length=64, **settings)["set"])


def choice_likelihoods(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Choice],
    *,
    max_length: int,
    batch_size: int = 64,
) -> list[list[float]]:
    """Log-likelihood of each choice of each question, nats."""
    tokenised = tokenise(tokenizer, questions, max_length, context_length(model))
    return log_likelihoods(model, tokenised, tokenizer.pad_token_id, batch_size)
