"""Units belong to the head whose attention they change, and to no other."""

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

import fggm_lab as lab
from benchmarks.families import tiny_family
from fggm_lab.errors import ModelError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.fisher.scored_parameters import Aggregation
from fggm_lab.masks import Mask, without_heads
from fggm_lab.models import attention_patterns, by_head, head_layout, load_model
from fggm_lab.models.heads import HeadPart, Projection, head_parts
from fggm_lab.models.units import as_units
from fggm_lab.training import zeroed
from tests.support.families import character_tokenizer, tiny_model
from tests.support.small import small_model, small_tasks

FAMILIES = ("llama", "gpt2", "gpt_neox", "opt", "qwen3", "bloom", "phi3", "gpt_neo", "bart")
"""With a projection each, all in one in blocks or head by head, with biases, norms of queries, and
parameters of attention to an encoder that is not there."""
TEXT = "ab 12: where is it?"


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    """A tiny model of two heads, one of keys and values where the family can share them."""
    model = tiny_family(request.param, character_tokenizer()).eval().double()
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def attention(model: PreTrainedModel) -> Tensor:
    """(layers, heads, n, n)."""
    return attention_patterns(model, character_tokenizer(), TEXT).weights


def parts_of(model: PreTrainedModel, projection: Projection) -> list[HeadPart]:
    return [part for part in head_parts(model) if (part.layer, part.projection) == (1, projection)]


class changed:
    """Some heads' units of a projection in layer 1, multiplied; they come back as they were.

    By another factor than 0 the first half of a head's units, since a norm over a head undoes a
    factor of all.
    """

    def __init__(
        self, model: PreTrainedModel, parts: Iterable[HeadPart], heads: list[int], factor: float
    ) -> None:
        self.parameters = dict(model.named_parameters())
        self.parts, self.heads, self.factor = list(parts), heads, factor

    def __enter__(self) -> None:
        self.held = {part.name: self.parameters[part.name].detach().clone() for part in self.parts}
        with torch.no_grad():
            for part in self.parts:
                width = part.units.shape[1] if self.factor == 0 else part.units.shape[1] // 2
                units = part.units[self.heads, :width].flatten()
                as_units(self.parameters[part.name], part.axis)[units] *= self.factor

    def __exit__(self, *_: object) -> None:
        with torch.no_grad():
            for name, value in self.held.items():
                self.parameters[name].copy_(value)


@pytest.mark.parametrize("projection", ["query", "key"])
def test_a_heads_queries_and_keys_change_its_attention_alone(
    model: PreTrainedModel, projection: Projection
) -> None:
    before, parts = attention(model), parts_of(model, projection)
    shared = head_layout(model).heads // len(parts[0].units)
    for head in range(len(parts[0].units)):
        with changed(model, parts, [head], 3.0):
            moved = (attention(model) - before)[1].abs().amax(dim=(1, 2)) > 1e-6
        expected = [number // shared == head for number in range(len(moved))]
        assert moved.tolist() == expected


def test_a_heads_values_are_what_its_output_columns_read(model: PreTrainedModel) -> None:
    ids = torch.arange(3, 20)[None]
    values, outputs = parts_of(model, "value"), parts_of(model, "output")
    shared = len(outputs[0].units) // len(values[0].units)
    with torch.no_grad():
        plain = model(ids).logits
        for head in range(len(values[0].units)):
            with changed(model, values, [head], 0.0):
                without_values = model(ids).logits
            readers = [head * shared + k for k in range(shared)]
            with changed(model, outputs, readers, 0.0):
                without_columns = model(ids).logits
            torch.testing.assert_close(without_values, without_columns)
            assert not torch.allclose(plain, without_columns)


def test_a_zeroed_head_contributes_nothing_and_the_others_what_they_did(
    model: PreTrainedModel,
) -> None:
    """Against the output projection's input with the head cut out of it."""
    ids, width = torch.arange(3, 20)[None], head_layout(model).width
    (part,) = parts_of(model, "output")
    module = model.get_submodule(part.name.removesuffix(".weight"))
    for head in range(head_layout(model).heads):

        def cut(_: nn.Module, inputs: tuple[Tensor, ...], head: int = head) -> tuple[Tensor, ...]:
            read = inputs[0].clone()
            read[..., head * width : (head + 1) * width] = 0
            return (read, *inputs[1:])

        handle = module.register_forward_pre_hook(cut)
        with torch.no_grad():
            expected = model(ids).logits
            handle.remove()
            with zeroed(model, without_heads(model, [(1, head)])):
                torch.testing.assert_close(model(ids).logits, expected)


@pytest.mark.parametrize("aggregation", ["input", "output", "none"])
def test_scores_of_heads_are_the_sums_of_their_units(aggregation: Aggregation) -> None:
    model, tokenizer = load_model()
    example = lab.load_tasks("trace-mini")["FOMC"].train[:1]
    scores = fisher_scores(model, tokenizer, example, aggregation=aggregation, elementwise=True)
    heads = by_head(scores, model)
    layers = model.model.layers
    expected: dict[str, dict[str, tuple[int, int]]] = {
        "input": {"query": (4, 32), "key": (2, 32), "value": (2, 32)},
        "output": {"output": (4, 32)},
        "none": {"query": (4, 4096), "key": (2, 4096), "value": (2, 4096), "output": (4, 4096)},
    }
    assert {kind: tuple(heads[kind][0].shape) for kind in heads} == expected[aggregation]
    assert scores.elementwise is not None
    for kind, module in (("query", "q_proj"), ("key", "k_proj"), ("output", "o_proj")):
        if kind not in heads:
            continue
        for layer in range(len(layers)):
            diagonal = scores.elementwise[f"model.layers.{layer}.self_attn.{module}.weight"]
            sides = diagonal.T if kind == "output" else diagonal
            by_hand = torch.stack([rows.sum() for rows in sides.split(32)])
            torch.testing.assert_close(heads[kind][layer].sum(1), by_hand)


def test_a_masks_bits_are_its_heads() -> None:
    model = tiny_model("qwen2")
    mask = Mask.random(model, 0.5, seed=1)
    heads = by_head(mask, model)
    weight, bias = (
        mask[f"model.layers.1.self_attn.q_proj.{end}"].view(2, 8) for end in ("weight", "bias")
    )
    assert torch.equal(heads["query"][1], torch.cat([weight, bias], 1))
    assert heads["query"][1].dtype == torch.bool


@pytest.mark.parametrize(("family", "says"), [
    ("mamba", "does not say how many attention heads"),
    ("falcon", "in which order .* its heads' queries, keys and values is not known"),
])  # fmt: skip
def test_families_whose_heads_are_not_known_are_refused(family: str, says: str) -> None:
    model = tiny_family(family, character_tokenizer())
    with pytest.raises(ModelError, match=says):
        by_head(Mask.full(model), model)


def test_what_does_not_fit_is_one_sentence() -> None:
    model = tiny_model("llama")
    model.config.head_dim = 4
    with pytest.raises(ModelError, match=r"q_proj.*has shape \(16, 16\), which is not what its"):
        by_head(Mask.full(model), model)
    model.config.head_dim = 8
    other = tiny_model("llama", layers=3)
    mask = Mask.full(model)
    mask.units["model.layers.0.self_attn.q_proj.weight"] = torch.ones(4, dtype=torch.bool)
    with pytest.raises(ModelError, match=r"has 4 values.*give the model that was scored"):
        by_head(mask, other)
    with pytest.raises(SettingError, match=r"no unit .* belongs to an attention head"):
        by_head(Mask.full(model).restricted(["model.norm.weight"]), model)
    for heads, says in (([(0, 2)], "no head 2 in layer 0; layers are 0 to 1, heads 0 to 1"),
                        ([(5, 0)], "no head 0 in layer 5"), ([], "no attention head")):  # fmt: skip
        with pytest.raises(SettingError, match=says):
            without_heads(model, heads)


def test_zeroing_heads_is_zeroing_their_columns_and_counts_heads() -> None:
    model, tokenizer, tasks = small_model(), character_tokenizer(), small_tasks(2)
    effect = lab.zeroing_heads(model, tokenizer, tasks, [(1, 0), (0, 1), (1, 0)], examples=4)
    assert (effect.off, effect.units, effect.unit) == (2, 4, "attention heads")
    mask = without_heads(model, [(1, 0), (0, 1)])
    assert mask.unit_count - mask.count == 16
    assert effect.after == lab.zeroing(model, tokenizer, tasks, mask, examples=4).after
    words = lab.plots.describe(lab.plots.mask_effects(effect))
    assert words.startswith("2 of 4 attention heads set to zero.")
