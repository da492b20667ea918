"""A training of the Hugging Face Trainer with FGGMCallback ÷ the same without."""

from tempfile import TemporaryDirectory
from typing import Any

from transformers import Trainer, TrainerCallback, TrainingArguments

from benchmarks.harness import MIB, Column, Report, Row, Settings, Target, ratio, raw, side_by_side
from benchmarks.models import Shape, make_batch, make_model, shapes
from fggm_lab.training import FGGMCallback

KEEP = 0.3
STEPS = 4
QUICK = [Shape("llama", 512, 32, batch=4)]
FULL = [*QUICK, Shape("llama", 768, 128)]
MEMORY = "peak memory of the Trainer with FGGMCallback ÷ without, weights included"


def run(settings: Settings) -> Report:
    """One row per shape: the memory and the time of a short training."""
    rows = [measure(shape, settings) for shape in shapes(settings, QUICK, FULL)]
    columns = [
        Column("family", "model"),
        Column("hidden", "hidden", "d"),
        Column("length", "length", "d"),
        Column("weights_mib", "weights MiB", ".1f"),
        Column("plain_mib", "Trainer peak MiB", ".1f"),
        Column("fggm_mib", "with callback", ".1f"),
        Column("peak_ratio", "÷", ".2f"),
        Column("time_ratio", "time ÷", ".2f"),
    ]
    return Report(
        "The Trainer with FGGMCallback ÷ without, AdamW, clipping at 1",
        columns,
        rows,
        [Target(MEMORY, max(row["peak_ratio"] for row in rows), 1.0)],
        [
            f"keep {KEEP}, {STEPS} steps of one batch; peak: weights and the most memory beyond "
            "them, activations, the Fisher pass and the copy of the frozen units included (on a "
            "GPU that copy lies in the computer's memory and is not counted).",
            "time: scoring the batch included, which a longer training hardly feels.",
        ],
    )


def measure(shape: Shape, settings: Settings) -> Row:
    """Train side by side."""
    batch = make_batch(shape, settings)
    rows: Any = [
        {name: column[i].tolist() for name, column in batch.items()} for i in range(shape.batch)
    ]

    with TemporaryDirectory() as folder:

        def train(*callbacks: TrainerCallback) -> None:
            arguments = TrainingArguments(
                folder,
                max_steps=STEPS,
                per_device_train_batch_size=shape.batch,
                learning_rate=1e-5,
                use_cpu=settings.device.type == "cpu",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
            )
            model = plain if not callbacks else masked
            Trainer(model, arguments, train_dataset=rows, callbacks=[*callbacks]).train()

        plain, masked = make_model(shape, settings), make_model(shape, settings)
        timings = side_by_side(
            {
                "plain": train,
                "fggm": lambda: train(FGGMCallback(keep=KEEP, batch_size=shape.batch)),
            },
            settings,
        )
    weights = sum(parameter.nbytes for parameter in plain.parameters())
    peaks = {name: weights + timing.peak for name, timing in timings.items()}
    return shape.row | {
        "weights_mib": weights / MIB,
        "plain_mib": peaks["plain"] / MIB,
        "fggm_mib": peaks["fggm"] / MIB,
        "peak_ratio": peaks["fggm"] / peaks["plain"],
        "time_ratio": ratio(timings["fggm"], timings["plain"]),
        "raw": raw(timings),
    }
