"""Memory as `estimate_memory` predicts it ÷ the same as a process takes it on the CPU."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import psutil
import torch
from transformers import PreTrainedModel

from benchmarks.harness import MIB, Column, Report, Row, Settings, Target
from benchmarks.models import Shape, model_config, word_tokenizer
from fggm_lab.fisher import fisher_scores
from fggm_lab.masks import Mask
from fggm_lab.methods import TaskContext, make_method
from fggm_lab.models.build import build_model
from fggm_lab.models.encoding import Encoded
from fggm_lab.settings import TrainingSettings
from fggm_lab.training.memory_estimate import estimate_memory, made_examples
from fggm_lab.training.peak_memory import forget_peak, peak_mb
from fggm_lab.training.task import make_optimizer, masking_for, train_task

CPU = torch.device("cpu")
WARMING_UP = Shape("llama", 64, 8, batch=2, layers=1, vocabulary=64, head=32)
TINY = Shape("llama", 256, 64, batch=4, layers=1, vocabulary=2048)
QUICK = Shape("llama", 768, 128, batch=4, layers=2, vocabulary=8192)
FULL = Shape("qwen2", 1024, 256, batch=4, layers=3, vocabulary=16384, groups=2)
WITHIN = 0.15

_RETURN_FREED = {"MALLOC_MMAP_THRESHOLD_": str(2**16), "MALLOC_TRIM_THRESHOLD_": str(2**16)}
"""Settings of the C library under which what is freed leaves the process at once."""


Dtype = Literal["float32", "bfloat16"]
Work = Literal["sft", "fggm", "fisher"]


@dataclass(frozen=True)
class Workload:
    """What a process is to hold: a model, and a Fisher pass over it or two steps of training.

    Attributes:
        shape: the model, and the batch.
        dtype: of the weights.
        method: of the steps; `fisher` stands for the pass.
    """

    shape: Shape
    dtype: Dtype
    method: Work


def run(settings: Settings) -> Report:
    """One row per workload."""
    shape = {"tiny": TINY, "quick": QUICK, "full": FULL}[settings.size]
    rows: list[Row] = []
    workloads = [Workload(shape, d, m) for d in get_args(Dtype) for m in get_args(Work)]
    for workload, measured in zip(workloads, measured_bytes(workloads), strict=True):
        estimated = estimated_bytes(workload)
        rows.append(
            shape.row
            | {
                "dtype": workload.dtype,
                "method": workload.method,
                "estimated_mib": estimated / MIB,
                "measured_mib": measured / MIB,
                "ratio": estimated / measured,
            }
        )
    columns = [
        Column("dtype", "weights"),
        Column("method", "workload"),
        Column("estimated_mib", "estimated MiB", ".0f"),
        Column("measured_mib", "measured MiB", ".0f"),
        Column("ratio", "÷", ".2f"),
    ]
    ratios = [row["ratio"] for row in rows]
    targets = [
        Target("memory, estimated ÷ measured, the most", max(ratios), 1 + WITHIN),
        Target("memory, estimated ÷ measured, the least", min(ratios), 1 - WITHIN, "at least"),
    ]
    return Report(
        "Peak memory estimated from the config ÷ what a process takes, on the CPU",
        columns,
        rows,
        targets if settings.size != "tiny" else [],
        [
            f"{shape.family}, hidden {shape.hidden}, {shape.layers} layers, {shape.batch} texts of "
            f"{shape.length} tokens, {shape.answer} of them the answer; weights included.",
            "measured: the process's largest resident size beyond that before the model was built.",
        ],
    )


def estimated_bytes(workload: Workload) -> int:
    """The peak that the library predicts, weights included."""
    shape = workload.shape
    estimate = estimate_memory(
        model_config(shape),
        "sft" if workload.method == "sft" else "fggm",
        dtype=workload.dtype,
        answer_length=shape.answer,
        fisher_batch_size=shape.batch,
        device="cpu",
        batch_size=shape.batch,
        max_length=shape.length,
    )
    if workload.method == "fisher":
        assert estimate.fisher_peak is not None
        return estimate.fisher_peak
    return estimate.training_peak


def measured_bytes(workloads: Sequence[Workload]) -> list[int]:
    """The peak of each workload, in a process of their own, beyond what that had before it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.estimates", json.dumps(list(map(asdict, workloads)))],
        env=os.environ | _RETURN_FREED,
        capture_output=True,
        text=True,
        check=True,
    )
    peaks: list[int] = json.loads(done.stdout)
    return peaks


def work(workload: Workload) -> tuple[PreTrainedModel, Callable[[], object]]:
    """The model of a workload, and a function that does the work on it."""
    shape = workload.shape
    model = build_model(model_config(shape), seed=0).to(getattr(torch, workload.dtype))
    examples = made_examples(shape.batch, shape.length, shape.answer, shape.vocabulary)
    if workload.method == "fisher":
        return model, lambda: fisher_scores(model, None, examples, batch_size=shape.batch)
    return model, lambda: _two_steps(model, workload, examples)


def _carry_out(workload: Workload) -> int:
    """Do the work in this process; the peak beyond the start, bytes."""
    work(Workload(WARMING_UP, workload.dtype, workload.method))[1]()  # loads libraries
    gc.collect()
    start = psutil.Process().memory_info().rss
    _, call = work(workload)
    forget_peak(CPU)
    call()
    return round(peak_mb(CPU) * MIB) - start


def _two_steps(model: PreTrainedModel, workload: Workload, examples: list[Encoded]) -> None:
    shape = workload.shape
    method = make_method(workload.method)
    settings = TrainingSettings(batch_size=shape.batch)
    mask = Mask.random(model, 0.3) if workload.method == "fggm" else None
    context = TaskContext(model, word_tokenizer(shape), (), examples, "", 0, 0, shape.length)
    with masking_for(model, mask, method) as masking:
        optimizer = masking.attach(make_optimizer(model, settings))
        train_task(context, method, masking, optimizer, settings, examples, 2, 0, lambda _: True)


if __name__ == "__main__":
    received = json.loads(sys.argv[1])
    workloads = [Workload(**fields | {"shape": Shape(**fields["shape"])}) for fields in received]
    print([_carry_out(workload) for workload in workloads])
