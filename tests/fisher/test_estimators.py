"""Each estimator is the number its name promises, by brute force."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.errors import DataError, ModelError, SettingError
from fggm_lab.fisher import ESTIMATORS, FisherScores, fisher_scores
from fggm_lab.methods import FGGM
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.tasks import Example
from tests.support import oracle
from tests.support.families import character_tokenizer, some_examples, tiny_model

TOKENIZER, EXAMPLES = character_tokenizer(), some_examples(6)
SHORT = [Example(e.prompt, e.answer[0]) for e in some_examples(4)]
"""Answers of one token."""


def encoded(examples: Sequence[Example]) -> list[Encoded]:
    return encode(TOKENIZER, examples, 64)


def log_probabilities(model: PreTrainedModel, item: Encoded) -> Tensor:
    """(answer tokens, vocabulary): what the model says before each answer token."""
    ids = torch.tensor([item.prompt + item.answer])
    logs = model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
    return logs[len(item.prompt) - 1 : -1]


def squares(model: PreTrainedModel, value: Tensor, weight: float = 1.0) -> dict[str, Tensor]:
    """weight · (∂ value / ∂θ)²."""
    parameters = dict(model.named_parameters())
    gradients = torch.autograd.grad(value, list(parameters.values()), retain_graph=True)
    return {name: weight * g**2 for name, g in zip(parameters, gradients, strict=True)}


def mean_of(
    model: PreTrainedModel, all_squares: list[dict[str, Tensor]], count: int
) -> dict[str, Tensor]:
    total = {n: torch.stack([s[n] for s in all_squares]).sum(0) / count for n in all_squares[0]}
    return oracle.unit_sums(model, total)


def test_token_squares_each_answer_token_by_itself() -> None:
    model = tiny_model("qwen2").eval()
    squares_of_examples = []
    for item in encoded(EXAMPLES):
        logs = log_probabilities(model, item)
        squares_of_examples += [
            squares(model, logs[t, token]) for t, token in enumerate(item.answer)
        ]
    scores = fisher_scores(model, TOKENIZER, EXAMPLES, estimator="token")
    assert (
        oracle.largest_error(scores.units, mean_of(model, squares_of_examples, len(EXAMPLES)), 1e-6)
        <= 1e-8
    )


def every_label(model: PreTrainedModel) -> dict[str, Tensor]:
    """Σ over labels of p · squares, at the answer token and the end token."""
    squares_of_examples = []
    for item in encoded(SHORT):
        logs = log_probabilities(model, item)
        for position in logs:
            for label in range(logs.shape[1]):
                squares_of_examples.append(
                    squares(model, position[label], float(position[label].detach().exp()))
                )
    return mean_of(model, squares_of_examples, len(SHORT))


def test_exact_weighs_every_label_by_its_probability() -> None:
    model = tiny_model("llama").eval()
    scores = fisher_scores(model, TOKENIZER, SHORT, estimator="true")
    # the root of p goes through norms that work in float32, p itself does not
    assert oracle.largest_error(scores.units, every_label(model), 1e-6) <= 1e-6
    with pytest.raises(DataError, match=r"answer of example 1 has 3 tokens.*'sampled'"):
        fisher_scores(model, TOKENIZER, [SHORT[0], Example("a", "bcd")], estimator="true")


def test_sampled_converges_to_exact() -> None:
    model = tiny_model("llama")
    exact = fisher_scores(model, TOKENIZER, SHORT, estimator="true")
    repeated_scores = [
        fisher_scores(model, TOKENIZER, SHORT, estimator="sampled", draws=40, seed=seed)
        for seed in range(12)
    ]
    for name, truth in exact.units.items():
        totals = torch.stack([s.units[name].sum() for s in repeated_scores])
        error = totals.std() / len(repeated_scores) ** 0.5
        assert abs(totals.mean() - truth.sum()) < 4.5 * error, name


def test_draws_depend_on_seed_and_example_alone() -> None:
    model = tiny_model("gpt2")

    def score(**settings: Any) -> FisherScores:
        return fisher_scores(model, TOKENIZER, EXAMPLES, estimator="sampled", draws=3, **settings)

    first, same, other = score(batch_size=1), score(batch_size=4), score(seed=1)
    for name, units in first.units.items():
        torch.testing.assert_close(units, same.units[name], rtol=1e-6, atol=1e-10)
    assert any(not torch.allclose(first.units[n], other.units[n], rtol=0.01) for n in first.names)
    assert first.info.extra["draws"] == 3


def test_adam_reads_the_second_moment() -> None:
    model = tiny_model("llama").eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95))
    running: dict[str, Tensor] = {}
    for step, item in enumerate(encoded(EXAMPLES)):
        optimizer.zero_grad()
        (-oracle.log_likelihood(model, item)).backward()
        for name, p in model.named_parameters():
            assert p.grad is not None
            weight = 0.05 * 0.95 ** (len(EXAMPLES) - 1 - step) / (1 - 0.95 ** len(EXAMPLES))
            running[name] = running.get(name, 0) + weight * p.grad**2
        optimizer.step()
    scores = fisher_scores(model, TOKENIZER, [], estimator="adam", optimizer=optimizer)
    assert oracle.largest_error(scores.units, oracle.unit_sums(model, running), 1e-12) <= 1e-8
    assert scores.info.examples == 0 and scores.standard_errors is None


def test_adam_without_its_moments_is_refused() -> None:
    model = tiny_model("llama")

    def score(optimizer: torch.optim.Optimizer | None) -> None:
        fisher_scores(model, TOKENIZER, [], estimator="adam", optimizer=optimizer)

    with pytest.raises(SettingError, match="pass optimizer="):
        score(None)
    with pytest.raises(SettingError, match="this SGD holds no second moment"):
        score(torch.optim.SGD(model.parameters()))
    partial = torch.optim.AdamW(list(model.parameters())[1:])
    oracle.log_likelihood(model.eval(), encoded(EXAMPLES)[0]).backward()
    partial.step()
    with pytest.raises(SettingError, match=r"no second moment for model\.embed_tokens\.weight"):
        score(partial)


def test_standard_errors_are_those_of_the_examples_scores() -> None:
    model = tiny_model("llama")
    unit_scores = [
        oracle.unit_sums(model, oracle.diagonal_fisher(model, [item])) for item in encoded(EXAMPLES)
    ]
    scores = fisher_scores(model, TOKENIZER, EXAMPLES, batch_size=4)
    assert scores.standard_errors is not None
    for name, errors in scores.standard_errors.items():
        stacked = torch.stack([example_scores[name] for example_scores in unit_scores])
        expected = stacked.std(0) / len(EXAMPLES) ** 0.5
        torch.testing.assert_close(errors, expected, rtol=1e-5, atol=1e-8 * float(stacked.max()))
    assert fisher_scores(model, TOKENIZER, EXAMPLES[:1]).standard_errors is None


def test_max_examples_draws_a_seeded_subset() -> None:
    model = tiny_model("llama")
    first, again, other = (
        fisher_scores(model, TOKENIZER, EXAMPLES, max_examples=3, seed=seed) for seed in (1, 1, 2)
    )
    assert first.info.examples == 3 and first.info.extra["of"] == 6
    assert all(torch.equal(first.units[n], again.units[n]) for n in first.names)
    assert first.total != other.total
    triples = [
        fisher_scores(model, TOKENIZER, [EXAMPLES[i], EXAMPLES[j], EXAMPLES[k]]).total
        for i in range(6) for j in range(i + 1, 6) for k in range(j + 1, 6)
    ]  # fmt: skip
    assert min(abs(first.total / t - 1) for t in triples) < 1e-9


def test_frozen_parameters_are_left_out() -> None:
    model = tiny_model("llama")
    model.model.embed_tokens.requires_grad_(False)
    scores = fisher_scores(model, TOKENIZER, EXAMPLES)
    assert "model.embed_tokens.weight" not in scores.names
    expected = fisher_scores(tiny_model("llama"), TOKENIZER, EXAMPLES)
    for name, units in scores.units.items():
        torch.testing.assert_close(units, expected.units[name], rtol=1e-9, atol=1e-14)
    model.requires_grad_(False)
    with pytest.raises(ModelError, match=r"every parameter of the model is frozen.*requires_grad_"):
        fisher_scores(model, TOKENIZER, EXAMPLES)


def test_what_is_not_finite_is_named_with_its_example() -> None:
    model = tiny_model("llama", tied=False)
    with torch.no_grad():  # only the token "g" is ill
        model.model.embed_tokens.weight[TOKENIZER("g")["input_ids"][0]] = float("inf")
    texts = [Example("abc", "d"), Example("agc", "d"), Example("a", "dd")]
    with pytest.raises(ModelError, match=r"log-likelihood of example 1 is nan"):
        fisher_scores(model, TOKENIZER, texts)
    steep = tiny_model("llama", tied=False, dtype=torch.float32)
    with torch.no_grad():
        steep.model.layers[1].mlp.down_proj.weight.mul_(1e25)
        steep.model.norm.weight.mul_(1e22)
    with pytest.raises(ModelError, match=r"(gradient of .*|log-likelihood of )example \d"):
        fisher_scores(steep, TOKENIZER, texts)


def test_an_empty_answer_is_named() -> None:
    texts = [Example("abc", "d"), Example("abc", "")]
    with pytest.raises(DataError, match="answer of example 1 is empty"):
        fisher_scores(tiny_model("llama"), TOKENIZER, texts)


def test_every_estimator_describes_itself() -> None:
    assert list(ESTIMATORS) == ["empirical", "sampled", "true", "token", "batch", "adam"]
    assert all(
        estimator.description and estimator.name == name for name, estimator in ESTIMATORS.items()
    )


def test_token_ids_do_as_well_as_texts() -> None:
    model = tiny_model("llama")
    texts = fisher_scores(model, TOKENIZER, EXAMPLES)
    ids = fisher_scores(model, TOKENIZER, encoded(EXAMPLES))
    assert all(torch.equal(ids.units[n], texts.units[n]) for n in texts.names)


def test_the_true_fisher_was_called_exact(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    model = tiny_model("llama")
    scores = fisher_scores(model, TOKENIZER, SHORT, estimator="true")
    with pytest.warns(FutureWarning, match=r'estimator="exact" is now called estimator="true"'):
        old = fisher_scores(model, TOKENIZER, SHORT, estimator="exact")
    assert old.info == scores.info and scores.info.estimator == "true"
    recwarn.clear()
    replace(scores, info=replace(scores.info, estimator="exact")).save(tmp_path / "old")
    assert FisherScores.load(tmp_path / "old").info == scores.info
    assert not recwarn.list


def test_an_estimator_of_ones_own_by_module_and_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_estimators.py").write_text(
        "from fggm_lab.fisher.estimators import empirical\n"
        "from fggm_lab.fisher.registry import Estimator, estimator\n"
        "mine = Estimator('mine', 'as empirical', empirical)\n"
        "nothing = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    model = tiny_model("llama")
    scores = fisher_scores(model, TOKENIZER, SHORT, estimator="my_estimators:mine")
    expected = fisher_scores(model, TOKENIZER, SHORT)
    assert scores.info.estimator == "mine"
    assert all(torch.equal(scores[name], expected[name]) for name in expected)
    assert FGGM(estimator="my_estimators:mine").estimator == "my_estimators:mine"
    with pytest.raises(SettingError, match="my_estimators:nothing is no estimator; decorate"):
        fisher_scores(model, TOKENIZER, SHORT, estimator="my_estimators:nothing")
