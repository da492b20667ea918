"""Short names for exact weights and for a tokenizer, to tell whether a record belongs to them."""

import json
from collections.abc import Iterator

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from fggm_lab.files import digest, digest_of

_PROBES = (
    "The quick brown fox, 12,345.67 of them, doesn't jump.",
    "\n\n\tdef f(x):\r\n    return x ** 2  # ok",
    "Ångström naïve İ ﬁ 你好。 Привет \U0001f600\u200d",
)
"""Texts whose tokens show how a tokenizer normalises and splits."""


def fingerprint(model: nn.Module) -> str:
    """The first 16 hex digits of SHA-256 over every parameter's name, dtype, shape and bytes.

    The device does not matter; a single changed bit does.

    Args:
        model: any module.

    Returns:
        16 hex digits.
    """
    return digest_of(_parts(model))


def _parts(model: nn.Module) -> Iterator[bytes | memoryview]:
    """What every parameter is called and holds, one after the other."""
    for name, parameter in model.named_parameters():
        yield f"{name}:{parameter.dtype}:{tuple(parameter.shape)};".encode()
        # A copy, for NumPy pins the memory that it looks at, and FSDP has to give it back.
        values = parameter.detach().to("cpu", copy=True).contiguous()
        yield values.reshape(-1).view(torch.uint8).numpy().data


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """The first 16 hex digits of SHA-256 over what a tokenizer makes of texts.

    Its vocabulary, special tokens, chat template, and the tokens of some texts of many kinds count:
    not how a version of the library writes it to a file.

    Args:
        tokenizer: any of transformers.

    Returns:
        16 hex digits.
    """
    content = [
        sorted((repr(token), index) for token, index in tokenizer.get_vocab().items()),
        sorted((name, str(token)) for name, token in tokenizer.special_tokens_map.items()),
        str(tokenizer.chat_template),
        [_probed(tokenizer, text) for text in _PROBES],
    ]
    return digest(json.dumps(content).encode())


def _probed(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int] | str:
    """The tokens of a text; where a closed vocabulary has none for it, the kind of error."""
    try:
        return list(tokenizer.encode(text))
    except Exception as problem:  # of whatever class the tokenizer's library has for it
        return type(problem).__name__
