"""A step, and a whole task, of FGGM's active-row training ÷ the same of plain fine-tuning."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from transformers import PreTrainedModel

from benchmarks.fisher import fisher_pass
from benchmarks.harness import MIB, Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from benchmarks.models import Batch, Shape, make_batch, make_model, shapes
from fggm_lab.fisher import FisherInfo, FisherScores
from fggm_lab.masks import Mask
from fggm_lab.models import unit_axes
from fggm_lab.training import ActiveRows

KEEP = 0.3
EPOCHS = 5
BATCHES = 2
LR = 1e-5
QUICK = [Shape("llama", 512, 64)]
FULL = [
    *QUICK,
    Shape("llama", 512, 128),
    Shape("llama", 768, 64),
    Shape("llama", 768, 128),
    Shape("qwen2", 512, 128, groups=2),
]
STEP = f"FGGM step at keep {KEEP} ÷ SFT step"
MEMORY = "gradients and optimiser state of masked parameters, FGGM ÷ SFT"
TASK = f"a whole FGGM task of {EPOCHS} epochs, Fisher pass included ÷ SFT"


def run(settings: Settings) -> Report:
    """One row per shape: a step, what it holds, and a whole task."""
    rows = [measure(shape, settings) for shape in shapes(settings, QUICK, FULL)]
    columns = [
        Column("family", "model"),
        Column("hidden", "hidden", "d"),
        Column("length", "length", "d"),
        Column("sft_ms", "SFT step ms", ".1f"),
        Column("fggm_ms", "FGGM step ms", ".1f"),
        Column("step_ratio", "÷", ".2f"),
        Column("task_ratio", "task ÷", ".2f"),
        Column("sft_held_mib", "SFT held MiB", ".1f"),
        Column("fggm_held_mib", "FGGM held MiB", ".1f"),
        Column("held_ratio", "÷", ".2f"),
        Column("copies_mib", "copies MiB", ".1f"),
        Column("peak_ratio", "peak ÷", ".2f"),
    ]
    targets = [
        Target(STEP, max(row["step_ratio"] for row in rows), 0.85),
        Target(MEMORY, max(row["held_ratio"] for row in rows), 0.35),
        Target(TASK, max(row["task_ratio"] for row in rows), 1.0),
    ]
    return Report(
        "Training the active rows alone ÷ plain fine-tuning, AdamW, clipping at 1",
        columns,
        rows,
        targets,
        [
            "Every parameter is masked, by a random mask of its units (scope layer).",
            "held: gradients and optimiser state between backward and step; copies: the active "
            "rows themselves, which exist twice while the optimiser steps; peak: the most memory "
            "of a step beyond weights and batch, activations included.",
            f"task: {EPOCHS} epochs over {BATCHES} batches; FGGM's begins with the exact Fisher "
            "pass over them and cutting the mask.",
        ],
    )


def measure(shape: Shape, settings: Settings) -> Row:
    """Time steps, then tasks, side by side."""
    batches = [make_batch(shape, settings, seed) for seed in range(BATCHES)]
    plain, masked = make_model(shape, settings), make_model(shape, settings)
    row = shape.row | measure_steps(plain, masked, batches[0], settings)
    tasks = side_by_side(
        {"sft": lambda: sft_task(plain, batches), "fggm": lambda: fggm_task(masked, batches)},
        replace(settings, patience=0),
        rehearse=False,
    )
    row["raw"] |= {f"{name}_task": timing for name, timing in raw(tasks).items()}
    return row | {"task_ratio": ratio(tasks["fggm"], tasks["sft"])}


def measure_steps(
    plain: PreTrainedModel, masked: PreTrainedModel, batch: Batch, settings: Settings
) -> Row:
    """Time a step of each side by side, and count what waits for it."""
    sft = _Steps(plain, AdamW(plain.parameters(), lr=LR), plain.parameters)
    with ActiveRows(masked, Mask.random(masked, KEEP)) as rows:
        fggm = _Steps(masked, rows.attach(AdamW(masked.parameters(), lr=LR)), rows.parameters)
        steps = side_by_side(
            {"sft": lambda: sft.take(batch), "fggm": lambda: fggm.take(batch)}, settings
        )
        held = {"sft": sft.held(batch), "fggm": fggm.held(batch)}
        copies = _bytes(rows.parameters())
    return {
        "sft_ms": 1e3 * steps["sft"].median,
        "fggm_ms": 1e3 * steps["fggm"].median,
        "step_ratio": ratio(steps["fggm"], steps["sft"]),
        "peak_ratio": steps["fggm"].peak / steps["sft"].peak,
        "sft_held_mib": held["sft"] / MIB,
        "fggm_held_mib": held["fggm"] / MIB,
        "held_ratio": held["fggm"] / held["sft"],
        "copies_mib": copies / MIB,
        "raw": {f"{name}_step": timing for name, timing in raw(steps).items()},
    }


class _Steps:
    """A model and the optimiser that moves it."""

    def __init__(
        self,
        model: PreTrainedModel,
        optimizer: Optimizer,
        parameters: Callable[[], Iterable[nn.Parameter]],
    ) -> None:
        self._model, self._optimizer = model, optimizer
        self._parameters = parameters

    def _gradients(self, batch: Batch) -> None:
        self._model(**batch, use_cache=False).loss.backward()

    def take(self, batch: Batch) -> None:
        """One step."""
        self._gradients(batch)
        torch.nn.utils.clip_grad_norm_(self._parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()

    def held(self, batch: Batch) -> int:
        """Bytes of gradients and optimiser state that wait for the step."""
        self._gradients(batch)
        gradients = _bytes(p.grad for p in self._parameters() if p.grad is not None)
        state = (v for s in self._optimizer.state.values() for v in s.values() if v.ndim)
        self._optimizer.zero_grad()
        return gradients + _bytes(state)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def sft_task(model: PreTrainedModel, batches: Sequence[Batch]) -> None:
    """All epochs of plain fine-tuning, with a fresh optimiser."""
    steps = _Steps(model, AdamW(model.parameters(), lr=LR), model.parameters)
    for _ in range(EPOCHS):
        for batch in batches:
            steps.take(batch)


def fggm_task(model: PreTrainedModel, batches: Sequence[Batch]) -> None:
    """The same under FGGM: score, mask, and train the active rows."""
    names = [name for name, _ in model.named_parameters()]
    examples = sum(len(batch["labels"]) for batch in batches)
    units, _ = fisher_pass(model, names, batches)().means(examples)
    info = FisherInfo("empirical", "input", examples, tokens=0, model="benchmark")
    mask = Mask.top(FisherScores(units, unit_axes(model), None, info), KEEP)
    with ActiveRows(model, mask) as rows:
        steps = _Steps(model, rows.attach(AdamW(model.parameters(), lr=LR)), rows.parameters)
        for _ in range(EPOCHS):
            for batch in batches:
                steps.take(batch)
