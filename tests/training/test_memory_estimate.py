"""Memory estimated from a config alone is what the same work takes."""

from typing import Any

import pytest

from benchmarks.estimates import QUICK, WITHIN, Workload, estimated_bytes, measured_bytes, work
from benchmarks.models import Shape, model_config
from fggm_lab.errors import SettingError
from fggm_lab.methods import FGGM, METHODS, Method
from fggm_lab.training import estimate_memory
from fggm_lab.training.memory_estimate import ESTIMABLE
from tests.support.peak_memory import peak_bytes

SHAPE = Shape("qwen2", 128, 48, batch=4, layers=1, vocabulary=1024, groups=2)
CONFIG = model_config(SHAPE)
SIZES: dict[str, Any] = {"batch_size": 4, "max_length": 48, "fisher_batch_size": 4}


@pytest.mark.parametrize("method", ["sft", "fggm", "fisher"])
def test_it_is_what_the_allocator_hands_out(method: Any) -> None:
    workload = Workload(SHAPE, "float32", method)
    model, call = work(workload)
    allocated = peak_bytes(call)
    weights = sum(p.nbytes for p in model.parameters())
    assert estimated_bytes(workload) - weights == pytest.approx(allocated, rel=0.05)


def test_it_is_what_a_process_takes() -> None:
    workloads = [Workload(QUICK, "float32", "fggm"), Workload(QUICK, "bfloat16", "sft")]
    for workload, measured in zip(workloads, measured_bytes(workloads), strict=True):
        assert estimated_bytes(workload) == pytest.approx(measured, rel=WITHIN), workload


def test_parts_are_those_of_adamw_and_of_the_share_that_moves() -> None:
    sft = estimate_memory(CONFIG, "sft", **SIZES)
    fggm = estimate_memory(CONFIG, FGGM(keep=0.25), **SIZES)
    assert sft.weights == 4 * sft.parameters + 4 * 2 * 32  # the two tables of rotary frequencies
    assert sft.gradients == 4 * sft.parameters
    assert sft.optimizer_state == pytest.approx(8 * sft.parameters, rel=1e-3)
    assert fggm.optimizer_state == pytest.approx(0.25 * sft.optimizer_state, rel=0.01)
    assert fggm.gradients == pytest.approx(0.25 * sft.gradients, rel=0.01)
    assert fggm.peak == max(fggm.training_peak, fggm.fisher_peak or 0)
    assert sft.fisher is None and sft.to_json()["training_peak"] == sft.training_peak


def test_settings_that_save_memory_do() -> None:
    plain = estimate_memory(CONFIG, "random", **SIZES)
    changes: list[dict[str, Any]] = [
        {"gradient_checkpointing": True},
        {"micro_batch": 1},
        {"answer_length": 4, "dtype": "bfloat16", "device": "cpu"},
    ]
    for change in changes:
        saving = estimate_memory(CONFIG, "random", **SIZES | change)
        assert saving.activations < 0.9 * plain.activations, change
    # On a GPU the optimiser takes all square roots at once, on a CPU one parameter's.
    assert plain.copies == pytest.approx(2 * plain.gradients, rel=0.05)
    assert saving.copies < 0.95 * 2 * saving.gradients


@pytest.mark.parametrize("name", [n for n, kind in METHODS.items() if kind not in ESTIMABLE])
def test_a_method_with_more_tensors_is_refused(name: str) -> None:
    with pytest.raises(SettingError, match=f"method {name} cannot be estimated"):
        estimate_memory(CONFIG, METHODS[name]())


@pytest.mark.parametrize("method", [FGGM(scope="global"), FGGM(aggregation="output")])
def test_a_mask_whose_size_depends_on_scores_is_refused(method: Method) -> None:
    with pytest.raises(SettingError, match="alone, and it is"):
        estimate_memory(CONFIG, method)


def sizes(name: str) -> dict[str, Any]:
    """One size of nothing."""
    return {name: 0}


def test_sizes_of_nothing_are_refused() -> None:
    for name in ("batch_size", "max_length", "micro_batch", "fisher_batch_size", "answer_length"):
        with pytest.raises(SettingError, match=f"{name}.* 0"):
            estimate_memory(CONFIG, **sizes(name))
    with pytest.raises(SettingError, match="positions for 1024 tokens"):
        estimate_memory(CONFIG, max_length=4096)
