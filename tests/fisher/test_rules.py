"""Each rule alone: a layer's per-example gradients against autograd, one example at a time."""

import warnings
from collections.abc import Callable, Sequence

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.pytorch_utils import Conv1D

from fggm_lab.fisher import fisher_scores
from fggm_lab.fisher.gradient_hooks import GradientHooks, HookedModule
from fggm_lab.fisher.module_call import Layout
from fggm_lab.fisher.rules import local, rule_for
from fggm_lab.fisher.stacked import Piece, squares_of
from fggm_lab.models.encoding import encode
from tests.support import oracle
from tests.support.families import character_tokenizer, some_examples, tiny_model

B, T, WIDTH, OUT = 3, 5, 6, 4


def features() -> Tensor:
    return torch.randn(B, T, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def ids() -> Tensor:
    return torch.tensor([[1, 2, 1, 1, 0], [3, 3, 3, 3, 3], [0, 4, 2, 0, 4]])  # tokens repeat


class Twice(nn.Module):
    """One layer, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x).tanh())


class Scale(nn.Module):
    """What no written rule knows: a bare parameter, used in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.randn(WIDTH))
        self.power = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.factor).tanh() * self.power.exp()


LAYERS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "linear": (lambda: nn.Linear(WIDTH, OUT), features),
    "linear without bias": (lambda: nn.Linear(WIDTH, OUT, bias=False), features),
    "linear twice": (Twice, features),
    "conv1d": (lambda: Conv1D(OUT, WIDTH), features),
    "embedding": (lambda: nn.Embedding(5, WIDTH), ids),
    "embedding with padding": (lambda: nn.Embedding(5, WIDTH, padding_idx=0), ids),
    "layer norm": (lambda: nn.LayerNorm(WIDTH), features),
    "layer norm without bias": (lambda: nn.LayerNorm(WIDTH, bias=False), features),
    "torch's rms norm": (lambda: nn.RMSNorm(WIDTH, eps=1e-5), features),
    "llama's rms norm": (lambda: LlamaRMSNorm(WIDTH), features),
    "gemma's rms norm": (lambda: GemmaRMSNorm(WIDTH), features),
    "no rule": (Scale, features),
}


def layer_squares(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Per-example squares (B, units) of every parameter, by hooks and rules."""
    parameters = dict(module.named_parameters())
    names = {id(p): name for name, p in parameters.items()}
    layers = [
        HookedModule(m, rule_for(m) or local, {n: names[id(p)] for n, p in local_parameters})
        for m in module.modules()
        if (local_parameters := list(m.named_parameters(recurse=False)))
    ]
    squares: dict[str, Tensor] = {}

    def take(name: str, parts: Sequence[Piece]) -> None:
        squares[name] = squares_of(parts, tuple(parameters[name].shape), "rows")

    module.requires_grad_(False)
    hooks = GradientHooks(Layout(B, T), take)
    with hooks.on(layers):
        hooks.differentiate([module(x).pow(3).sum()])
    assert not hooks.unknown
    return squares


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layers_squares_are_autograds(kind: str) -> None:
    torch.manual_seed(1)
    make, give = LAYERS[kind]
    module, x = make().double(), give()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    truth: dict[str, list[Tensor]] = {}
    for b in range(B):
        module.zero_grad()
        module(x[b : b + 1]).pow(3).sum().backward()
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None
            square = parameter.grad.square()
            truth.setdefault(name, []).append(
                square.sum(1) if square.ndim == 2 else square.flatten()
            )
    bound = 1e-5 if "llama" in kind or "gemma" in kind else 1e-9  # theirs are float32 inside
    for name, squares in layer_squares(module, x).items():
        expected = torch.stack(truth.pop(name))
        if kind == "conv1d" and name == "weight":
            continue  # rows of (in, out): test_estimate compares its columns
        scale = float(expected.max())
        torch.testing.assert_close(squares.double(), expected, rtol=bound, atol=bound * scale)
    assert not truth


def test_only_the_last_layer_has_no_written_rule() -> None:
    for kind, (make, _) in LAYERS.items():
        module = make()
        rule = rule_for(module.inner if isinstance(module, Twice) else module)
        assert (rule is None) == (kind == "no rule"), kind


TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "mixtral"])
def test_lora_is_scored_and_its_base_left_out(family: str) -> None:
    base = tiny_model(family, dtype=torch.float32)
    targets = ["c_attn", "c_fc"] if family == "gpt2" else ["q_proj", "v_proj"]
    torch.manual_seed(0)
    settings = LoraConfig(
        r=2, target_modules=targets, lora_dropout=0.1, fan_in_fan_out=family == "gpt2"
    )
    model = get_peft_model(base, settings).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn_like(parameter))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert scores.names and all("lora_" in name for name in scores.names)
    diagonal = oracle.diagonal_fisher(model, encode(TOKENIZER, EXAMPLES, 64))
    truth = {name: diagonal[name].sum(1) for name in scores.names}
    assert oracle.largest_error(scores.units, truth, 1e-6) <= 1e-8


def test_a_module_that_mixes_examples_is_scored_exactly_with_a_warning() -> None:
    class Centre(nn.Module):
        """Looks at the other examples, where there are any."""

        def __init__(self, norm: nn.Module) -> None:
            super().__init__()
            self.norm, self.shift = norm, nn.Parameter(torch.randn(16, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            moved = self.norm(x) + self.shift
            return moved + 0.1 * (moved.flip(0) - moved.flip(0).detach())

    model = tiny_model("llama")
    model.model.layers[0].input_layernorm = Centre(model.model.layers[0].input_layernorm)
    with pytest.warns(UserWarning, match=r"input_layernorm\.norm\.weight"):
        scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert "model.layers.0.input_layernorm.norm.weight" in scores.info.extra["generic"]
    truth = oracle.diagonal_fisher(model, encode(TOKENIZER, EXAMPLES, 64))
    assert oracle.largest_error(scores.units, oracle.unit_sums(model, truth), 1e-6) <= 1e-8
