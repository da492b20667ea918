"""Weights stored in unusual layouts: a unit is an output, exact and frozen as any other."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn

from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.models.encoding import collate, encode
from fggm_lab.training.masked_gradients import MaskedGradients
from tests.support import oracle
from tests.support.families import COLUMN_EXPERTS, character_tokenizer, some_examples, tiny_model

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(6)
ENCODED = encode(TOKENIZER, EXAMPLES, 64)


@pytest.mark.parametrize("family", COLUMN_EXPERTS)
def test_scores_of_outputs_are_autograds(family: str) -> None:
    model = tiny_model(family)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="no rule covers|which axis")
        scores = fisher_scores(model, TOKENIZER, EXAMPLES, batch_size=4, elementwise=True)
    diagonal = oracle.diagonal_fisher(model, ENCODED)
    truth = oracle.unit_sums(model, diagonal)
    assert oracle.largest_error(scores.units, truth, 1e-6) <= 1e-6
    assert scores.elementwise is not None
    for name, entries in diagonal.items():
        torch.testing.assert_close(scores.elementwise[name], entries, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("experts", ["batched_mm", "grouped_mm"])
def test_experts_however_they_are_computed(experts: str) -> None:
    model = tiny_model("gpt_oss", experts=experts, dtype=torch.float32)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert scores.info.extra["generic"] == []
    true_model = tiny_model("gpt_oss")
    truth = oracle.unit_sums(true_model, oracle.diagonal_fisher(true_model, ENCODED))
    assert oracle.largest_error(scores.units, truth, 1e-3) <= 1e-3


@pytest.mark.parametrize("family", COLUMN_EXPERTS)
def test_inputs_are_the_other_axis(family: str) -> None:
    model = tiny_model(family)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES, aggregation="output")
    diagonal = oracle.diagonal_fisher(model, ENCODED)
    name = next(name for name in diagonal if name.endswith("experts.down_proj"))
    torch.testing.assert_close(
        scores.units[name], diagonal[name].sum(2).flatten(), rtol=1e-5, atol=1e-12
    )


def slice_outputs(experts: nn.Module, x: Tensor, hidden: Tensor) -> dict[str, Tensor]:
    """Every expert's outputs (tokens, experts, out) of both weights on fixed inputs."""
    outputs = {}
    for name, inputs in (("gate_up_proj", x), ("down_proj", hidden)):
        out = torch.stack([inputs @ weight for weight in experts.get_parameter(name)], 1)
        bias = experts._parameters.get(f"{name}_bias")
        outputs[name] = out.detach() if bias is None else (out + bias).detach()
    return outputs


@pytest.mark.parametrize("family", COLUMN_EXPERTS)
def test_frozen_outputs_do_not_depend_on_training(family: str) -> None:
    model = tiny_model(family)
    mask = Mask.top(fisher_scores(model, TOKENIZER, EXAMPLES), 0.3)
    prefix = next(n for n in mask.units if n.endswith("experts.down_proj")).rpartition(".")[0]
    for name in ("gate_up_proj", "down_proj"):
        if f"{prefix}.{name}_bias" in mask.units:  # an output's bias moves with it
            mask.units[f"{prefix}.{name}_bias"] = mask.units[f"{prefix}.{name}"]
    batch = collate(ENCODED, 0)
    experts = model.get_submodule(prefix)
    x, hidden = torch.randn(5, 16).double(), torch.randn(5, experts.down_proj.shape[1]).double()
    before = slice_outputs(copy.deepcopy(experts), x, hidden)
    with MaskedGradients(model, mask) as masking:
        optimizer = masking.attach(torch.optim.AdamW(model.parameters(), lr=1e-2))
        for _ in range(3):
            model(**batch).loss.backward()
            masking.project()
            optimizer.step()
            optimizer.zero_grad()
    after = slice_outputs(experts, x, hidden)
    for name, outputs in before.items():
        trained = mask.units[f"{prefix}.{name}"].reshape(outputs.shape[1:])
        moved = (after[name] != outputs).any(0)
        assert not moved[~trained].any()
        assert (moved == trained).float().mean() > 0.9 and trained.any() and not trained.all()


class Kernel(nn.Module):
    """A causal convolution over the tokens, with two groups."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(16, 16, 3, groups=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)


class Heads(nn.Module):
    """A projection stored as (in, heads, width), whose layout nothing tells."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 2, 8) / 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bth,hnd->btnd", x, self.weight).flatten(2)


@pytest.mark.filterwarnings("ignore:no rule covers")
def test_a_channel_of_a_kernel_is_one_unit() -> None:
    model = tiny_model("llama", tied=False)
    model.model.layers[0].mlp = Kernel().double()
    scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    name = "model.layers.0.mlp.conv.weight"
    truth = oracle.diagonal_fisher(model, ENCODED)[name].sum((1, 2))
    assert scores.units[name].shape == (16,)
    torch.testing.assert_close(scores.units[name], truth, rtol=1e-8, atol=1e-12)


@pytest.mark.filterwarnings("ignore:no rule covers")
def test_an_unknown_layout_is_said() -> None:
    model = tiny_model("llama", tied=False)
    model.model.layers[0].mlp = Heads().double()
    with pytest.warns(UserWarning, match=r"which axis of model\.layers\.0\.mlp\.weight counts"):
        scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert scores.info.extra["assumed_rows"] == ["model.layers.0.mlp.weight"]


class Transposed(nn.Module):
    """A transposed convolution over each token's entries, as 8 channels of 2."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose1d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.reshape(-1, 8, 2)).reshape(x.shape)


@pytest.mark.filterwarnings("ignore:no rule covers")
def test_a_channel_of_a_transposed_kernel_is_one_unit_and_stays_if_frozen() -> None:
    model = tiny_model("llama", tied=False)
    model.model.layers[0].mlp = Transposed().double()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="which axis")
        scores = fisher_scores(model, TOKENIZER, EXAMPLES, elementwise=True)
        inputs = fisher_scores(model, TOKENIZER, EXAMPLES, aggregation="output")
    name = "model.layers.0.mlp.conv.weight"  # (in, out, k)
    truth = oracle.diagonal_fisher(model, ENCODED)[name]
    torch.testing.assert_close(scores.units[name], truth.sum((0, 2)), rtol=1e-8, atol=1e-12)
    torch.testing.assert_close(inputs.units[name], truth.sum((1, 2)), rtol=1e-8, atol=1e-12)
    assert scores.elementwise is not None
    torch.testing.assert_close(scores.elementwise[name], truth, rtol=1e-5, atol=1e-9)
    mask = Mask.top(scores, 0.3)
    before = model.get_parameter(name).detach().clone()
    with MaskedGradients(model, mask) as masking:
        optimizer = masking.attach(torch.optim.AdamW(model.parameters(), lr=1e-2))
        model(**collate(ENCODED, 0)).loss.backward()
        masking.project()
        optimizer.step()
    moved = (model.get_parameter(name) != before).any(2).any(0)
    assert torch.equal(moved, mask.units[name]) and 0 < int(moved.sum()) < 8
