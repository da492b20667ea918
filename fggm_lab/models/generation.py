"""Generation by a model's own probabilities alone, whatever its folder's generation settings say.

A model folder may hold a `generation_config.json`: penalties, beams, forced tokens, stop strings,
guidance, cut-offs. transformers fills every setting that a caller leaves open from it, so that
"greedy" answers of such a model are not the ones that its probabilities give. Here the model's
settings are put aside while it generates, and put back afterwards.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
)

from fggm_lab.models.attention import attention_name
from fggm_lab.models.positions import generation_positions
from fggm_lab.models.token_counts import uncounted

PROBE_TOKENS = 12
"""How many tokens the longer prompt of `handles_left_padding` has at most."""

PROBE_TOLERANCE = 1e-3
"""How far, relative to the largest logit, the logits of a padded prompt may be from its own."""

_HANDLES_PADDING: WeakKeyDictionary[PreTrainedModel, dict[tuple[Any, ...], bool]] = (
    WeakKeyDictionary()
)
"""Model -> (dtype, attention implementation, device) -> what `handles_left_padding` found."""


@contextmanager
def own_settings_only(
    model: PreTrainedModel, end: int | None = None, pad: int | None = None
) -> Iterator[None]:
    """Generation inside obeys nothing that the model's `generation_config` says.

    Args:
        model: a model of transformers, or an adapter of peft around one.
        end: the id of the end token, where a call of `generate` inside names none.
        pad: the id of the padding token, likewise.

    Yields:
        Nothing; the model's own settings are the same objects again afterwards.
    """
    owners = [module for module in model.modules() if "generation_config" in vars(module)]
    own_settings = [(module, vars(module)["generation_config"]) for module in owners]
    plain = GenerationConfig(eos_token_id=end, pad_token_id=pad)
    for module in owners:
        vars(module)["generation_config"] = plain
    try:
        yield
    finally:
        for module in model.modules():  # peft writes the settings into the model it wraps
            if vars(module).get("generation_config") is plain:
                del vars(module)["generation_config"]
        for module, settings in own_settings:
            vars(module)["generation_config"] = settings


@torch.no_grad()
def generate_tokens(
    model: PreTrainedModel,
    input_ids: Tensor,
    attention_mask: Tensor,
    *,
    max_new_tokens: int,
    end: int | None,
    pad: int | None,
    temperature: float = 0.0,
    stop: Sequence[StoppingCriteria] = (),
) -> Tensor:
    """Continue a batch of prompts by the model's own probabilities.

    Args:
        model: a causal language model in evaluation mode.
        input_ids: the prompts, (batch, length), padded on the left.
        attention_mask: 0 at padding, of the same shape.
        max_new_tokens: after how many new tokens to stop at the latest.
        end: the id of the end token, after which a row is over.
        pad: the id that fills rows that are over.
        temperature: 0 for the likeliest token each time; above, tokens are drawn with torch's
            random numbers from the whole distribution at this temperature.
        stop: further reasons for a row to be over.

    Returns:
        The new tokens' ids, (batch, at most `max_new_tokens`).
    """
    with own_settings_only(model):
        out = model.generate(
            input_ids=input_ids,
            attention_mask=attention_mask,
            **generation_positions(model, attention_mask),
            stopping_criteria=StoppingCriteriaList(stop),
            generation_config=GenerationConfig(
                max_new_tokens=max_new_tokens,
                pad_token_id=pad,
                eos_token_id=end,
                **_drawing(temperature),
            ),
        )
    return out[:, input_ids.shape[1] :]


def _drawing(temperature: float) -> dict[str, Any]:
    """How the next token is chosen, in the words of transformers."""
    if temperature > 0:
        return {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    return {"do_sample": False}


@uncounted()  # a question about the model, asked once
@torch.no_grad()
def handles_left_padding(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], pad: int
) -> bool:
    """Whether prompts that are padded on the left are continued as they are alone.

    A recurrent state (RWKV, RecurrentGemma) reads padding as if it were text; float64 weights with
    eager attention make padded rows NaN. The check compares the logits of two new tokens after two
    prompts of different length, together and one by one. It is made once for each model, floating
    type and attention implementation.

    Args:
        model: in evaluation mode.
        prompts: token ids that the model can read; the longest gives the two prompts.
        pad: the id to pad with.

    Returns:
        False where padding changes the logits, by more than `PROBE_TOLERANCE` of the largest.
    """
    setting = (model.dtype, attention_name(model), model.device)
    verdicts = _HANDLES_PADDING.setdefault(model, {})
    if setting not in verdicts:
        long = max(map(list, prompts), key=len)[-PROBE_TOKENS:]
        short = long[-max(1, len(long) // 3) :]
        with torch.autocast(model.device.type, enabled=False):
            together = _two_steps(model, [long, short], pad)
            alone = [_two_steps(model, [prompt], pad)[0] for prompt in (long, short)]
        verdicts[setting] = all(
            _agree(*pair, model.dtype) for pair in zip(together, alone, strict=True)
        )
    return verdicts[setting]


def _two_steps(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], pad: int
) -> list[list[tuple[int, Tensor]]]:
    """For each prompt of a batch the first two new tokens, each with its logits."""
    length = max(map(len, prompts))
    rows = [[pad] * (length - len(prompt)) + list(prompt) for prompt in prompts]
    attended = [[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    attention_mask = torch.tensor(attended, device=model.device)
    with own_settings_only(model):
        out = model.generate(
            input_ids=torch.tensor(rows, device=model.device),
            attention_mask=attention_mask,
            **generation_positions(model, attention_mask),
            generation_config=GenerationConfig(
                max_new_tokens=2,
                do_sample=False,
                pad_token_id=pad,
                output_logits=True,
                return_dict_in_generate=True,
            ),
        )
    new = out.sequences[:, length:].tolist()
    return [
        [(token, logits[row]) for token, logits in zip(new[row], out.logits, strict=True)]
        for row in range(len(prompts))
    ]


def _agree(
    padded: list[tuple[int, Tensor]], alone: list[tuple[int, Tensor]], dtype: torch.dtype
) -> bool:
    """Whether the steps have the same logits, as far as the tokens before them are the same."""
    for (token, logits), (own_token, own_logits) in zip(padded, alone, strict=True):
        # Not the logits' own type: some versions of transformers hand them on in float32.
        eps = max(PROBE_TOLERANCE, float(torch.finfo(dtype).eps) ** 0.5)
        largest = own_logits.double().abs().max()
        if not bool((logits.double() - own_logits.double()).abs().max() <= eps * largest):
            return False  # NaN is not near anything
        if token != own_token:  # a tie: what follows differs rightly
            return True
    return True
