"""General of a model: the mean of its skills, or of its losses on held-out texts."""

from collections.abc import Mapping

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count
from fggm_lab.errors import DataError
from fggm_lab.evaluation.choice_scoring import choice_scores
from fggm_lab.evaluation.greedy_answers import teacher_forced
from fggm_lab.evaluation.scores import GeneralScore, TaskScore
from fggm_lab.models.encoding import Encoded
from fggm_lab.tasks import General

PROBE_TEXT_TOKENS = 40
"""How many tokens of a text a probe scores for each example of a set."""


@torch.no_grad()
def text_loss(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    *,
    max_length: int,
    batch_size: int = 16,
    max_tokens: int | None = None,
    name: str = "for General",
) -> float:
    """Held-out loss of a text, in windows of at most `max_length` tokens.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        text: of at least two tokens.
        max_length: tokens of a window; each begins anew, without what stands before it.
        batch_size: windows per forward pass.
        max_tokens: read the text only so far (None: all of it).
        name: the text's, for the error.

    Returns:
        Nats per token: the logarithm of the perplexity.

    Raises:
        SettingError: `max_length` is below 2, so that no token could be predicted from another.
        DataError: the text has fewer than two tokens.
    """
    check_count("max_length", max_length, 2)
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"][:max_tokens]
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    size = max_length - len(begin)
    windows = [begin + ids[i : i + size] for i in range(0, len(ids), size)]
    windows = [window for window in windows if len(window) > 1]
    if not windows:
        raise DataError(f"the text {name} has fewer than two tokens; give a longer text")
    # The first token of a window is given, every later one is predicted.
    encoded = [Encoded(tuple(window[:1]), tuple(window[1:]), False) for window in windows]
    _, nll = teacher_forced(model, encoded, tokenizer.pad_token_id, batch_size)
    return sum(nll) / sum(len(window.answer) for window in encoded)


def general_score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    general: General,
    skills: Mapping[str, TaskScore],
    *,
    max_length: int,
    batch_size: int,
    probe: int | None,
    skipped: int,
) -> GeneralScore:
    """General of a model whose answers to its skills' examples are scored already.

    Args:
        model: in evaluation mode.
        tokenizer: the model's.
        general: what it is measured on.
        skills: the scores of the skills of `general` that have examples to answer.
        max_length: tokens of a window of a text, or of a question with a choice.
        batch_size: questions per forward pass.
        probe: score the first so many questions of each skill, and so many times
            `PROBE_TEXT_TOKENS` tokens of each text; None: all.
        skipped: how many examples and questions were left out.

    Returns:
        The mean, and what it is the mean of.
    """
    if general.texts:
        max_tokens = None if probe is None else PROBE_TEXT_TOKENS * probe
        losses = {
            name: text_loss(
                model, tokenizer, text, max_length=max_length, max_tokens=max_tokens, name=name
            )
            for name, text in general.texts.items()
        }
        mean = sum(losses.values()) / len(losses)
        return GeneralScore(mean, losses if len(losses) > 1 else {})
    choices = choice_scores(
        model,
        tokenizer,
        {name: questions[:probe] for name, questions in general.choices.items()},
        general.choose,
        max_length=max_length,
        batch_size=batch_size,
    )
    scores = {name: skill.score for name, skill in skills.items()}
    scores |= {name: skill.accuracy for name, skill in choices.items()}
    truncated = sum(skill.truncated for skill in skills.values())
    truncated += sum(skill.truncated for skill in choices.values())
    return GeneralScore(sum(scores.values()) / len(scores), scores, truncated, skipped)
