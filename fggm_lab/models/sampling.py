"""Samples from a model's own distribution: texts drawn without a prompt, or after a few tokens."""

import warnings
from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count
from fggm_lab.distributed import on_main
from fggm_lab.errors import ModelError
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import Encoded, collate
from fggm_lab.models.generation import generate_tokens, handles_left_padding
from fggm_lab.models.modes import evaluating, seeded
from fggm_lab.models.token_counts import counted_as


def own_samples(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    count: int,
    *,
    length: int = 64,
    seed: int = 0,
    batch_size: int = 64,
) -> list[Encoded]:
    """Draw texts from the model's own distribution: temperature 1, no top-k or top-p, and
    nothing of what the model's `generation_config` says.

    The state of torch's random generators is restored afterwards.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
        count: the number of texts.
        length: the most tokens of one, the beginning token not counted.
        seed: the same seed draws the same texts.
        batch_size: how many are drawn at once; another size draws other texts.

    Returns:
        `count` examples whose prompt is the beginning token (or, lacking one, the end token) and
        whose answer is all that was drawn, up to and with the first end token.

    Raises:
        SettingError: `count` or `length` is below 1.
        ModelError: the tokenizer has no token to begin with.
    """
    check_count("count", count)
    check_count("length", length)
    openings = [(beginning_token(tokenizer),)] * count
    return continued_samples(
        model, tokenizer, openings, length=length, seed=seed, batch_size=batch_size
    )


def beginning_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that a text begins with: the beginning token or, lacking one, the end token.

    Args:
        tokenizer: a tokenizer.

    Returns:
        Its id.

    Raises:
        ModelError: it has neither.
    """
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    if begin is None and end is None:
        raise ModelError("the tokenizer has neither a beginning nor an end token to begin with")
    return int(end if begin is None else begin)


def continued_samples(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    openings: Sequence[Sequence[int]],
    *,
    length: int = 64,
    seed: int = 0,
    batch_size: int = 64,
) -> list[Encoded]:
    """Draw texts that begin as they are told to, otherwise as `own_samples` does.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer.
        openings: the token ids that each text begins with, one or more.
        length: the most tokens that are drawn for one; fewer where the context is full before.
        seed: the same seed draws the same texts.
        batch_size: how many are drawn at once; another size draws other texts.

    Returns:
        An example for each opening, in order; its prompt is the opening, its answer what was drawn.
        All ranks of a data-parallel run get what rank 0 has drawn.
    """
    return on_main(lambda: _continued(model, tokenizer, openings, length, seed, batch_size))


def warn_of_poor_samples(tokenizer: PreTrainedTokenizerBase, drawn: Sequence[Encoded]) -> None:
    """Warn where all texts are empty, or all the same: then they say little about the model.

    Args:
        tokenizer: whose end token a text that is empty consists of.
        drawn: the texts, as `own_samples` gives them.
    """
    answers = {text.answer for text in drawn}
    empty = all(set(answer) <= {tokenizer.eos_token_id} for answer in answers)
    if empty or (len(answers) == 1 and len(drawn) > 1):
        example = tokenizer.decode(next(iter(answers)))
        warnings.warn(
            f"the {len(drawn)} texts that the model drew are all "
            f"{'empty' if empty else 'the same'}, such as {example!r}, so they protect little of "
            "what it knows; a model that is to draw must have been trained to begin with its "
            "beginning token",
            stacklevel=2,
        )


@counted_as("sample")
@torch.no_grad()
def _continued(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    openings: Sequence[Sequence[int]],
    length: int,
    seed: int,
    batch_size: int,
) -> list[Encoded]:
    """What `continued_samples` gives."""
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    fill = next((token for token in (pad, end) if token is not None), 0)
    prompts = [Encoded(tuple(opening), (), False) for opening in openings]
    batches = _batches(model, prompts, fill, batch_size)
    drawn: dict[int, Encoded] = {}
    with evaluating(model), seeded(model, seed):
        for batch in batches:
            inputs = collate([prompts[i] for i in batch], fill, side="left")
            ids = inputs["input_ids"].to(model.device)
            new = generate_tokens(
                model,
                ids,
                inputs["attention_mask"].to(model.device),
                max_new_tokens=min(length, context_length(model) - ids.shape[1]),
                end=end,
                pad=fill,
                temperature=1.0,
            )
            for i, row in zip(batch, new.tolist(), strict=True):
                drawn[i] = Encoded(prompts[i].prompt, _until(row, end), False)
    return [drawn[i] for i in range(len(openings))]


def _batches(
    model: PreTrainedModel, prompts: Sequence[Encoded], pad: int, size: int
) -> list[list[int]]:
    """The indices of prompts that are continued together: of one length, if padding does harm."""
    by_length: dict[int, list[int]] = {}
    for index, item in enumerate(prompts):
        by_length.setdefault(len(item), []).append(index)
    groups = list(by_length.values())
    if len(groups) > 1 and handles_left_padding(model, [item.prompt for item in prompts], pad):
        groups = [[index for length in sorted(by_length) for index in by_length[length]]]
    return [group[at : at + size] for group in groups for at in range(0, len(group), size)]


def _until(tokens: list[int], end: int | None) -> tuple[int, ...]:
    """The tokens up to and with the first end token."""
    stop = tokens.index(end) + 1 if end in tokens else len(tokens)
    return tuple(tokens[:stop])
