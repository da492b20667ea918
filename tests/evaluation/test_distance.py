"""The distance from the untrained model, against sums over the vocabulary, token by token."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from fggm_lab.errors import DataError, ModelError
from fggm_lab.evaluation import distance, kl_per_token
from fggm_lab.methods import SFT
from fggm_lab.models import load_model
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.models.sampling import own_samples
from fggm_lab.runs import Run
from fggm_lab.runs.numbers import read_numbers
from fggm_lab.seeds import derived_seed
from tests.support.families import character_tokenizer, some_examples
from tests.support.resuming import StopAt, same_weights, timeless
from tests.support.small import context as small_context
from tests.support.small import jolt, small_model, small_run, small_tasks

TOKENIZER = character_tokenizer()
ENCODED = encode(TOKENIZER, some_examples(5, seed=1), 64)
QUIET: dict[str, Any] = {
    "tasks": small_tasks(2), "general": None, "points_per_task": 0, "score_unlearned": False,
    "epochs": 1,
}  # fmt: skip


@torch.no_grad()
def summed(base: Any, model: Any, encoded: list[Encoded]) -> float:
    """The mean divergence, one prefix after the other and in Python's floats."""
    values = []
    for item in encoded:
        ids = [*item.prompt, *item.answer]
        for end in range(len(item.prompt), len(ids)):
            p, q = (
                network(torch.tensor([ids[:end]])).logits[0, -1].double().softmax(-1).tolist()
                for network in (base, model)
            )
            values.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    return sum(values) / len(values)


def test_it_is_the_mean_over_tokens_of_the_sum_over_the_vocabulary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base, model = small_model(), small_model()
    jolt(small_context(model), seed=3)
    expected = summed(base, model, ENCODED)
    assert expected > 0.001
    for positions, batch_size in ((1024, 16), (3, 2)):
        monkeypatch.setattr(distance, "POSITIONS", positions)
        measured = kl_per_token(base, model, ENCODED, pad=0, batch_size=batch_size)
        assert measured == pytest.approx(expected, rel=1e-4)
    assert summed(model, base, ENCODED) != pytest.approx(expected, rel=1e-3), "it has a direction"
    assert kl_per_token(base, base, ENCODED, pad=None) == 0
    with pytest.raises(DataError, match="no answer token"):
        kl_per_token(base, model, [], pad=0)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return small_run(SFT(), tmp_path_factory.mktemp("run") / "sft", distance_samples=3, **QUIET)


def test_a_run_measures_it_after_each_task_from_the_model_it_began_with(run: Run) -> None:
    folder = run.checkpoint(None)
    assert folder is not None
    base, tokenizer = load_model(folder)
    samples = own_samples(base, tokenizer, 3, seed=derived_seed(0, 0, "distance"), length=64)
    measured = []
    for index, event in enumerate(run.events("task")):
        model, _ = load_model(run.checkpoint(index) or folder)
        examples = encode(tokenizer, small_tasks()[index].test[:3], 64)
        measured.append(event["distance"])
        assert measured[-1] == {
            "own_samples": pytest.approx(summed(base, model, samples), rel=1e-3),
            "new_task": pytest.approx(summed(base, model, examples), rel=1e-3),
        }
    assert numbers(run)["kl_own_samples"] == measured[-1]["own_samples"] > 0
    assert numbers(run)["kl_new_tasks"] == pytest.approx(sum(d["new_task"] for d in measured) / 2)


def numbers(run: Run) -> dict[str, Any]:
    return {key: read_numbers(run)[key] for key in ("kl_own_samples", "kl_new_tasks")}


def test_it_changes_no_weight_and_a_resumed_run_measures_the_same(run: Run, tmp_path: Path) -> None:
    plain = small_run(SFT(), tmp_path / "plain", **QUIET)
    assert same_weights(plain, run, 1)
    assert numbers(plain) == {"kl_own_samples": None, "kl_new_tasks": None}
    settings = {"distance_samples": 3, **QUIET}
    with pytest.raises(KeyboardInterrupt):
        small_run(SFT(), tmp_path / "parts", listener=StopAt("task", 1), **settings)
    assert timeless(small_run(SFT(), tmp_path / "parts", resume=True, **settings)) == timeless(run)
    branch = small_run(SFT(), tmp_path / "branch", branch=(plain, 0), **settings)
    assert branch.events("task")[1]["distance"] == run.events("task")[1]["distance"]
    assert numbers(branch)["kl_own_samples"] == numbers(run)["kl_own_samples"]
    assert numbers(branch)["kl_new_tasks"] is None, "the run it left did not measure its task"


def test_a_tokenizer_without_a_first_token_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = character_tokenizer()
    for name in ("bos_token_id", "eos_token_id"):
        monkeypatch.setattr(type(bare), name, None, raising=False)
    with pytest.raises(ModelError, match="neither a beginning nor an end token"):
        small_run(SFT(), tmp_path / "run", distance_samples=3, **QUIET)
