"""Layers that use their weights in unusual ways: exact all the same, against plain autograd."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from transformers import PreTrainedModel

from fggm_lab.fisher import fisher_scores
from fggm_lab.models.encoding import encode
from tests.support import oracle
from tests.support.families import character_tokenizer, some_examples, tiny_model

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(6)
ENCODED = encode(TOKENIZER, EXAMPLES, 64)
WIDTH = 16


class Recurrent(nn.Module):
    """An LSTM or a GRU, whose weights reach the operation inside a list."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.rnn = kind(WIDTH, WIDTH, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]


class Attention(nn.Module):
    """torch's own attention: one weight for query, key and value, and a second inside a module."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        return self.attention(x, x, x, attn_mask=causal, need_weights=False)[0]


class Pieces(nn.Module):
    """A bare weight of (2 · width, width) taken apart, or put together, before it is used."""

    def __init__(self, use: Callable[[nn.Parameter, nn.Parameter], Tensor]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2 * WIDTH, WIDTH) / 4)
        self.second = nn.Parameter(torch.randn(WIDTH, WIDTH) / 4)
        self.use = use

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.use(self.weight, self.second)).tanh()


def chunked(weight: nn.Parameter, second: nn.Parameter) -> Tensor:
    first, other = weight.chunk(2)
    return first * other + second


def unbound(weight: nn.Parameter, second: nn.Parameter) -> Tensor:
    rows = weight.unbind(0)
    return torch.stack([a + b for a, b in zip(rows[:WIDTH], rows[WIDTH:], strict=True)]) @ second


def concatenated(weight: nn.Parameter, second: nn.Parameter) -> Tensor:
    return torch.cat([weight, second])[WIDTH : 2 * WIDTH] + torch.cat([second, weight])[:WIDTH]


def stacked(weight: nn.Parameter, second: nn.Parameter) -> Tensor:
    return torch.stack([second, weight[:WIDTH]]).sum(0)


def written_in_place(weight: nn.Parameter, second: nn.Parameter) -> Tensor:
    buffer = torch.zeros(WIDTH, WIDTH, dtype=weight.dtype)
    buffer[:] = second
    buffer[: WIDTH // 2] += weight[: WIDTH // 2]
    return buffer


class Owner(nn.Module):
    """A bias registered by parent and child, as BERT's heads have it."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.Linear(WIDTH, WIDTH)
        self.bias = self.decoder.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(x)


def pruned() -> nn.Module:
    linear = nn.Linear(WIDTH, WIDTH)
    prune.random_unstructured(linear, "weight", amount=0.4)
    return linear


def old_weight_norm() -> nn.Module:
    return nn.utils.weight_norm(nn.Linear(WIDTH, WIDTH))


def old_spectral_norm() -> nn.Module:
    return nn.utils.spectral_norm(nn.Linear(WIDTH, WIDTH))


MODULES: dict[str, Callable[[], nn.Module]] = {
    "LSTM": lambda: Recurrent(nn.LSTM),
    "GRU": lambda: Recurrent(nn.GRU),
    "MultiheadAttention": Attention,
    "chunk": lambda: Pieces(chunked),
    "unbind": lambda: Pieces(unbound),
    "cat": lambda: Pieces(concatenated),
    "stack": lambda: Pieces(stacked),
    "in place": lambda: Pieces(written_in_place),
    "parent and child": Owner,
    "pruned": pruned,
    "weight_norm": old_weight_norm,
    "spectral_norm": old_spectral_norm,
}


def model_with(module: nn.Module) -> PreTrainedModel:
    """A tiny Llama whose first feed-forward block is `module`."""
    model = tiny_model("llama", tied=False)
    model.model.layers[0].mlp = module.double()
    return model


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("name", MODULES)
def test_unusual_weights_are_scored_exactly(name: str) -> None:
    torch.manual_seed(0)
    model = model_with(MODULES[name]())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = fisher_scores(model, TOKENIZER, EXAMPLES, batch_size=4, elementwise=True)
    diagonal = oracle.diagonal_fisher(model, ENCODED)
    assert scores.elementwise is not None
    for parameter, truth in diagonal.items():
        assert truth.any(), parameter
        torch.testing.assert_close(scores.elementwise[parameter], truth, rtol=1e-7, atol=1e-12)
    slow = set(scores.info.extra["generic"])
    assert {str(w.message) for w in caught if "no rule covers" in str(w.message)} or not slow
