"""fisher_scores is exact for every family, leaves the model alone, and refuses bad input."""

import warnings

import pytest
import torch
from torch import Tensor

from fggm_lab.errors import DataError, ModelError, SettingError
from fggm_lab.fisher import fisher_scores
from fggm_lab.models import unit_axes
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.tasks import Example
from tests.support import oracle
from tests.support.cases import Case
from tests.support.families import FAMILIES, character_tokenizer, some_examples, tiny_model


def truth_of(case: Case) -> dict[str, Tensor]:
    diagonal = oracle.diagonal_fisher(case.model, encode(case.tokenizer, case.examples, 64))
    return oracle.unit_sums(case.model, diagonal)


def test_exact_in_float64_and_float32(case: Case) -> None:
    truth = truth_of(case)
    exact = fisher_scores(case.model, case.tokenizer, case.examples, batch_size=4)
    assert all(scores.dtype == torch.float64 for scores in exact.units.values())
    assert (
        oracle.largest_error(exact.units, truth, 1e-20 if case.family == "llama" else 1e-6) <= 1e-8
    )
    single = fisher_scores(case.model.float(), case.tokenizer, case.examples, batch_size=4)
    assert all(scores.dtype == torch.float32 for scores in single.units.values())
    assert oracle.largest_error(single.units, truth, 1e-4) <= 1e-4
    assert exact.info.extra["generic"] == single.info.extra["generic"] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_elementwise_is_exact_and_sums_to_units(family: str) -> None:
    model, tokenizer, examples = tiny_model(family), character_tokenizer(), some_examples()
    truth = oracle.diagonal_fisher(model, encode(tokenizer, examples, 64))
    scores = fisher_scores(model, tokenizer, examples, elementwise=True)
    assert scores.elementwise is not None
    for name, true in truth.items():
        torch.testing.assert_close(
            scores.elementwise[name], true, rtol=1e-8, atol=1e-14 * float(true.max())
        )
    plain = fisher_scores(model, tokenizer, examples)
    for name in truth:
        torch.testing.assert_close(scores.units[name], plain.units[name], rtol=1e-8, atol=1e-20)


@pytest.mark.parametrize("family", FAMILIES)
def test_output_aggregation_sums_the_other_axis(family: str) -> None:
    model, tokenizer, examples = tiny_model(family), character_tokenizer(), some_examples()
    truth = oracle.diagonal_fisher(model, encode(tokenizer, examples, 64))
    scores = fisher_scores(model, tokenizer, examples, aggregation="output")
    axes = unit_axes(model)
    for name, true in truth.items():
        if true.ndim == 2:
            assert scores.axes[name] == 1 - axes[name]
            true = true.sum(axes[name])
        torch.testing.assert_close(
            scores.units[name], true, rtol=1e-8, atol=1e-14 * float(true.max())
        )


def test_no_aggregation_makes_every_entry_a_unit() -> None:
    model, tokenizer, examples = tiny_model("llama"), character_tokenizer(), some_examples(3)
    scores = fisher_scores(model, tokenizer, examples, aggregation="none", elementwise=True)
    assert scores.elementwise is not None
    for name, diagonal in scores.elementwise.items():
        assert torch.equal(scores.units[name], diagonal.flatten())


def test_batch_estimator_squares_the_mean_gradient() -> None:
    model, tokenizer, examples = tiny_model("llama"), character_tokenizer(), some_examples(5)
    scores = fisher_scores(model, tokenizer, examples, estimator="batch", batch_size=3)
    encoded = encode(tokenizer, examples, 64)
    model.eval()
    expected: dict[str, Tensor] = {}
    for part in (encoded[:3], encoded[3:]):
        model.zero_grad()
        # divided after backward: RMSNorm works in float32, where a third rounds
        sum(oracle.log_likelihood(model, e) for e in part).backward()  # type: ignore[union-attr]
        for name, p in model.named_parameters():
            assert p.grad is not None
            expected[name] = expected.get(name, 0) + (p.grad / len(part)) ** 2 * len(part) / 5
    for name, true in oracle.unit_sums(model, expected).items():
        torch.testing.assert_close(scores.units[name], true, rtol=1e-8, atol=1e-16)
    alone = fisher_scores(model, tokenizer, examples, estimator="batch", batch_size=1)
    exact = fisher_scores(model, tokenizer, examples)
    for name in scores.names:
        torch.testing.assert_close(alone.units[name], exact.units[name], rtol=1e-8, atol=1e-16)
    assert scores.total < exact.total


def test_the_model_comes_back_as_it_was() -> None:
    model, tokenizer, examples = tiny_model("gpt2"), character_tokenizer(), some_examples(3)
    frozen = model.get_parameter("transformer.wpe.weight").requires_grad_(False)
    head = model.transformer.h[0].attn.eval()
    norm = model.get_parameter("transformer.ln_f.weight")
    norm.grad = torch.ones_like(norm)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    fisher_scores(model, tokenizer, examples)
    assert model.training and not head.training and model.transformer.h[0].mlp.training
    assert not frozen.requires_grad and norm.requires_grad
    assert torch.equal(norm.grad, torch.ones_like(norm))
    assert all(p.grad is None for p in model.parameters() if p is not norm)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_hooks_and_flags_come_back_after_an_error() -> None:
    model, tokenizer = tiny_model("llama"), character_tokenizer()
    with torch.no_grad():
        model.get_parameter("model.norm.weight")[0] = float("nan")
    with pytest.raises(ModelError, match="log-likelihood of example 2 is nan"):
        fisher_scores(model, tokenizer, some_examples(3))
    assert model.training and all(p.requires_grad for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_batch_size_and_gradient_mode_do_not_matter() -> None:
    model, tokenizer = tiny_model("qwen2", dtype=torch.float32), character_tokenizer()
    examples = some_examples()
    singly = fisher_scores(model, tokenizer, examples, batch_size=1)
    with torch.no_grad():
        batched = fisher_scores(model, tokenizer, examples, batch_size=7)
    for name, scores in singly.units.items():
        torch.testing.assert_close(
            scores, batched.units[name], rtol=1e-4, atol=1e-6 * float(scores.max())
        )


def test_no_pad_token_is_needed_and_the_record_is_complete() -> None:
    model, examples = tiny_model("llama", context=16), some_examples(6, longest=20)
    reports: list[tuple[int, int]] = []
    with_pad = fisher_scores(model, character_tokenizer(), examples)
    scores = fisher_scores(
        model,
        character_tokenizer(pad=False),
        examples,
        task="FOMC",
        batch_size=4,
        progress=lambda done, total: reports.append((done, total)),
    )
    for name in scores.names:
        torch.testing.assert_close(scores.units[name], with_pad.units[name], rtol=1e-9, atol=0)
    info = scores.info
    assert (info.estimator, info.aggregation, info.task) == ("empirical", "input", "FOMC")
    assert (info.examples, info.dtype) == (6, "float64")
    assert info.tokens == sum(len(e.answer) + 1 for e in examples)
    assert info.truncated == sum(len(e.prompt) + len(e.answer) + 1 > 16 for e in examples) > 0
    assert reports[-1] == (6, 6)
    assert fisher_scores(model, character_tokenizer(), examples, max_examples=2).info.examples == 2


def test_a_weight_used_outside_its_module_is_scored_exactly_with_a_warning() -> None:
    model, tokenizer, examples = tiny_model("llama"), character_tokenizer(), some_examples(4)
    inner = model.model.layers[0].mlp.down_proj

    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) + torch.nn.functional.linear(x.tanh(), inner.weight)

    model.model.layers[0].mlp.down_proj = Twice()
    truth = oracle.diagonal_fisher(model, encode(tokenizer, examples, 64))
    with pytest.warns(UserWarning, match=r"layers\.0\.mlp\.down_proj\.inner\.weight"):
        scores = fisher_scores(model, tokenizer, examples)
    assert oracle.largest_error(scores.units, oracle.unit_sums(model, truth), 1e-15) <= 1e-8
    assert scores.info.extra["generic"] == ["model.layers.0.mlp.down_proj.inner.weight"]


def test_a_module_called_twice_adds_before_the_square() -> None:
    model, tokenizer, examples = tiny_model("qwen2"), character_tokenizer(), some_examples(4)
    model.model.layers[1].mlp = model.model.layers[0].mlp
    model.model.layers[1].input_layernorm = model.model.layers[0].input_layernorm
    truth = oracle.unit_sums(model, oracle.diagonal_fisher(model, encode(tokenizer, examples, 64)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = fisher_scores(model, tokenizer, examples)
    assert oracle.largest_error(scores.units, truth, 1e-6) <= 1e-8


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"estimator": "guess"}, SettingError, "guess"),
        ({"aggregation": "sideways"}, SettingError, "sideways"),
        ({"aggregation": "none"}, SettingError, "elementwise=True"),
        ({"batch_size": 0}, SettingError, "batch_size is 0"),
        ({"max_examples": 0}, SettingError, "max_examples is 0"),
        ({"max_length": 3}, DataError, "the answer of example 0"),
        ({"only": []}, DataError, "no examples"),
        ({"only": [0, 1]}, SettingError, "indices outside the 1 examples"),
        ({"only": [0], "max_examples": 1}, SettingError, "give one of them"),
    ],
)
def test_bad_settings_are_refused(settings: dict, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        fisher_scores(
            tiny_model("llama"), character_tokenizer(), [Example("abc", "defg")], **settings
        )


def test_only_some_examples_as_texts_and_as_tokens() -> None:
    """The chosen examples are scored, whatever form each has, and named by their own places."""
    model, tokenizer, examples = tiny_model("llama"), character_tokenizer(), some_examples(5)
    mixed = [e if i % 2 else encode(tokenizer, [e], 64)[0] for i, e in enumerate(examples)]
    chosen = fisher_scores(model, tokenizer, mixed, only=[4, 1])
    alone = fisher_scores(model, tokenizer, [examples[1], examples[4]])
    assert chosen.info.examples == 2
    for name, units in alone.units.items():
        torch.testing.assert_close(chosen.units[name], units)
    mute = [*mixed[:4], Encoded((3, 4), (), False)]
    with pytest.raises(DataError, match="the answer of example 4 is empty"):
        fisher_scores(model, tokenizer, mute, only=[0, 4])


def test_no_examples_are_refused() -> None:
    with pytest.raises(DataError, match="no examples"):
        fisher_scores(tiny_model("llama"), character_tokenizer(), [])
