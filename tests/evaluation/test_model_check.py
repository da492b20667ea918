"""One probe per model finds what is exact, slow, handled, refused and wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.families import SIZES, check_families, tiny_family
from fggm_lab.errors import ModelError
from fggm_lab.evaluation import ModelCheck, check_model, evaluate
from fggm_lab.fisher import fisher_scores
from fggm_lab.models import load_model
from fggm_lab.training import run_sequence
from tests.support.families import character_tokenizer, tiny_model
from tests.support.small import small_tasks

TOKENIZER = character_tokenizer()
CAUSAL, PADDED, LOSS, GREEDY, SCORES = (
    "predicts from earlier tokens only",
    "a padded row counts as the row alone",
    "the family's own loss",
    "batched greedy answers",
    "scores of parameters",
)


def outcomes(check: ModelCheck, question: str) -> list[str]:
    """What the probe's answers to one question came to."""
    return [finding.outcome for finding in check.findings if finding.question == question]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "gpt2", "opt", "gemma"])
def test_ordinary_families_are_exact(family: str, dtype: torch.dtype) -> None:
    model = tiny_model(family, dtype=dtype)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    check = check_model(model, TOKENIZER)
    assert check.ok and model.training
    assert [len(outcomes(check, q)) for q in (CAUSAL, PADDED, LOSS, GREEDY, SCORES)] == [1] * 5
    assert set(outcomes(check, CAUSAL) + outcomes(check, PADDED)) == {"exact"}
    assert outcomes(check, LOSS) == outcomes(check, SCORES) == ["exact"]
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_tokenizer_without_padding_token_serves() -> None:
    assert check_model(tiny_model("llama"), character_tokenizer(pad=False)).ok


class Reading(nn.Module):
    """A layer that lets each token see the one after it."""

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + torch.roll(hidden, -1, dims=1)


class Averaging(nn.Module):
    """A layer that takes a mean over the batch's tokens, padding included."""

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden - 0.5 * hidden.mean(dim=(0, 1), keepdim=True)


def spoilt(module: nn.Module) -> Any:
    """A tiny Llama whose first feed-forward block is `module`."""
    model: Any = tiny_model("llama", dtype=torch.float32)
    model.model.layers[0].mlp = module
    return model


def test_a_model_that_sees_what_follows_is_found() -> None:
    model = spoilt(Reading())
    check = check_model(model, TOKENIZER)
    assert outcomes(check, CAUSAL) == ["wrong"] and not check.ok


def test_a_model_that_sees_what_follows_is_neither_scored_nor_trained(tmp_path: Path) -> None:
    model = spoilt(Reading())
    calls: list[Callable[[], object]] = [
        lambda: fisher_scores(model, TOKENIZER, small_tasks()[0]),
        lambda: evaluate(model, TOKENIZER, small_tasks()),
        lambda: run_sequence(model, TOKENIZER, small_tasks(), "sft", tmp_path / "run"),
    ]
    for call in calls:
        with pytest.raises(ModelError, match=r"Llama.* reads an answer before it predicts it"):
            call()
    assert not (tmp_path / "run").exists()


def test_a_model_that_mixes_the_rows_of_a_batch_is_found() -> None:
    check = check_model(spoilt(Averaging()), TOKENIZER)
    assert outcomes(check, PADDED) == ["wrong"] and not check.ok


def test_slow_and_unused_parameters_are_named() -> None:
    model: Any = tiny_model("llama", dtype=torch.float32)
    model.model.layers[0].mlp = nn.Sequential(nn.Bilinear(16, 16, 16)).append(nn.Identity())
    bilinear = model.model.layers[0].mlp[0]
    bilinear.forward = lambda hidden: nn.functional.bilinear(hidden, hidden, bilinear.weight)
    model.vision_tower = nn.Linear(4, 4)
    check = check_model(model, TOKENIZER)
    assert outcomes(check, SCORES) == ["exact", "slow", "unused"] and check.ok
    detail = {finding.outcome: finding.detail for finding in check.findings}
    assert "mlp.0.weight" in detail["slow"] and "vision_tower.weight" in detail["unused"]


def test_what_cannot_be_computed_is_refused_in_one_line() -> None:
    model = tiny_model("llama", dtype=torch.float32, vocabulary=8)  # fewer than the tokenizer has
    check = check_model(model, TOKENIZER)
    assert not check.ok and "refused" in outcomes(check, PADDED)
    assert all("\n" not in finding.detail for finding in check.findings)
    model = tiny_model("llama", dtype=torch.float32).requires_grad_(False)
    assert outcomes(check_model(model, TOKENIZER), SCORES) == ["refused"]


@pytest.mark.parametrize("family", ["bart", "trocr", "xlm"])
def test_a_loss_that_does_not_shift_is_handled(family: str) -> None:
    _, tokenizer = load_model()
    check = check_model(tiny_family(family, tokenizer), tokenizer)
    assert outcomes(check, LOSS) == ["handled"]
    assert outcomes(check, CAUSAL) == outcomes(check, PADDED) == ["exact"]


def test_many_families_are_checked_for_the_documentation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(SIZES) > 50
    for family in [name for name in SIZES if name not in ("llama", "roberta", "mamba")]:
        monkeypatch.delitem(SIZES, family)
    checks = check_families()
    assert list(checks) == ["llama", "roberta", "mamba"] and all(c.ok for c in checks.values())
    assert "slow" in outcomes(checks["mamba"], SCORES)
