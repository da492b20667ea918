"""Samples from a model's own distribution: texts drawn without any prompt."""

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import ModelError, SettingError
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import Encoded
from fggm_lab.models.generation import generate_tokens
from fggm_lab.models.token_counts import counted_as


@counted_as("sample")
@torch.no_grad()
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
    if count < 1 or length < 1:
        raise SettingError(f"{count} samples of {length} tokens; both must be 1 or more")
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    begin = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    if begin is None:
        raise ModelError("the tokenizer has neither a beginning nor an end token to begin with")
    length = min(length, context_length(model) - 1)
    drawn: list[Encoded] = []
    training = model.training
    model.eval()
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            while len(drawn) < count:
                rows = min(batch_size, count - len(drawn))
                ids = torch.full((rows, 1), begin, device=model.device)
                new = generate_tokens(
                    model,
                    ids,
                    torch.ones_like(ids),
                    max_new_tokens=length,
                    end=end,
                    pad=end if pad is None else pad,
                    temperature=1.0,
                )
                drawn += [Encoded((begin,), _until(row, end), False) for row in new.tolist()]
    finally:
        model.train(training)
    return drawn


def _until(tokens: list[int], end: int | None) -> tuple[int, ...]:
    """The tokens up to and with the first end token."""
    stop = tokens.index(end) + 1 if end in tokens else len(tokens)
    return tuple(tokens[:stop])
