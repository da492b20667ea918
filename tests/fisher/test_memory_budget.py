"""A memory budget is kept, by the allocator's own account, and changes no score."""

import re
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherScores, fisher_scores, scoring
from fggm_lab.fisher.memory_budget import free_budget
from fggm_lab.fisher.memory_meter import MemoryMeter
from fggm_lab.tasks import Example
from tests.support.families import character_tokenizer, some_examples, tiny_model
from tests.support.peak_memory import peak_bytes

TOKENIZER = character_tokenizer()
# lengths from 4 to 60, and one much longer than most
EXAMPLES = [*some_examples(14, longest=30), *some_examples(2, seed=5, longest=40)]


def model(family: str = "llama", attention: str = "sdpa") -> PreTrainedModel:
    """In float32, so that batches mix lengths."""
    return tiny_model(family, attention=attention, dtype=torch.float32, layers=4)


def score(network: PreTrainedModel, budget: int | None, **settings: Any) -> FisherScores:
    return fisher_scores(
        network, TOKENIZER, EXAMPLES, batch_size=16, memory_budget=budget, **settings
    )


def least(network: PreTrainedModel, **settings: Any) -> int:
    """The smallest budget, from the refusal of a smaller one."""
    with pytest.raises(SettingError, match=r"an example of \d+ tokens needs \d+; raise") as refused:
        score(network, 1000, **settings)
    match = re.search(r"needs (\d+);", str(refused.value))
    assert match is not None
    return int(match[1])


@pytest.mark.parametrize("elementwise", [False, True])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_budget_is_kept_and_changes_no_score(
    family: str, attention: str, elementwise: bool
) -> None:
    network = model(family, attention)
    free = score(network, None, elementwise=elementwise)
    unbound = peak_bytes(lambda: score(network, None, elementwise=elementwise))
    smallest = least(network, elementwise=elementwise)
    assert smallest < 0.7 * unbound
    used = []
    for budget in (smallest, 4 * smallest):
        results: list[FisherScores] = []
        peak = peak_bytes(lambda: results.append(score(network, budget, elementwise=elementwise)))  # noqa: B023
        assert peak <= budget
        used.append(peak)
        for name, units in results[0].units.items():
            tolerance = 1e-5 * float(units.max())
            torch.testing.assert_close(units, free.units[name], rtol=1e-4, atol=tolerance)
        assert results[0].info.extra["memory_budget"] == budget
    assert used[1] > used[0]  # what is allowed is used


def test_what_a_gpu_has_free_is_the_budget_unless_one_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # No GPU is needed: this stands for one with as little free as one example takes.
    network = model()
    free, smallest = score(network, None), least(network)
    monkeypatch.setattr(scoring, "free_budget", lambda devices: smallest)
    results: list[FisherScores] = []
    peak = peak_bytes(lambda: results.append(score(network, None)))
    assert peak <= smallest
    for name, units in results[0].units.items():
        tolerance = 1e-5 * float(units.max())
        torch.testing.assert_close(units, free.units[name], rtol=1e-4, atol=tolerance)
    assert "memory_budget" not in results[0].info.extra  # what is recorded can be asked for again
    assert peak_bytes(lambda: score(network, 4 * smallest)) > smallest
    batches = fisher_scores(network, TOKENIZER, EXAMPLES, estimator="batch")  # keeps no budget
    assert batches.info.estimator == "batch"


def test_the_computers_own_memory_is_no_bound() -> None:
    assert free_budget([torch.device("cpu")]) is None


def test_of_several_gpus_the_one_with_the_least_free_is_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, numbers in (
        ("mem_get_info", ((70, 100), (20, 100))), ("memory_reserved", (20, 50)),
        ("memory_allocated", (15, 30)),
    ):  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, lambda device, numbers=numbers: numbers[device.index])
    devices = [torch.device("cuda:0"), torch.device("cuda:1"), torch.device("cpu")]
    assert free_budget(devices) == 20 + 50 - 30
    assert free_budget(devices[:1]) == 70 + 20 - 15


def test_a_budget_that_does_not_fit_the_estimator_is_refused() -> None:
    with pytest.raises(SettingError, match="'batch' cannot keep a memory_budget"):
        fisher_scores(
            model(), TOKENIZER, [Example("a", "b")], estimator="batch", memory_budget=10**9
        )
    with pytest.raises(SettingError, match="memory_budget is 0"):
        score(model(), 0)


def test_the_meter_agrees_with_the_allocator() -> None:
    weight = torch.randn(50, 1000, requires_grad=True)

    def work() -> None:
        x = torch.randn(200, 1000)
        (x @ weight.t()).tanh().sum().backward()
        weight.grad = None
        x[:10].clone()

    with MemoryMeter([weight]) as meter:
        work()
    assert meter.peak == pytest.approx(peak_bytes(work), rel=0.05)
