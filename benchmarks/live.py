"""A whole training watched by `LiveTraining` ÷ the same training unwatched, in a real kernel."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager

from benchmarks.harness import Column, Report, Row, Settings, Target, ratio, raw, side_by_side

LIMIT = 1.03
SIZES = {"tiny": (1, 8, 1), "quick": (2, 128, 4), "full": (3, 256, 5)}
"""Tasks, examples of each, epochs."""
START = 180
"""Seconds a kernel may take to start."""

SETUP = """
import tempfile
from pathlib import Path

import torch

import fggm_lab as lab

torch.set_num_threads({threads})
model, tokenizer = lab.load_model("tiny")
model.to("{device}")
tasks = lab.load_tasks("trace-mini")[:{tasks}]
settings = {{"limit": {limit}, "epochs": {epochs}, "points_per_task": 5}}
held = tempfile.TemporaryDirectory()
folders = iter([Path(held.name) / str(n) for n in range(10_000)])

def train():
    lab.run_sequence(model, tokenizer, tasks, lab.FGGM(), next(folders), **settings)

def watch():
    widget = lab.LiveTraining(model, tokenizer, tasks, lab.FGGM(), next(folders), **settings)
    widget.fill()
    return widget

train()
watched = [watch() for _ in range({rounds})]
"""


def run(settings: Settings) -> Report:
    """One row: both trainings, side by side."""
    row = measure(settings)
    columns = [
        Column("steps", "steps", "d"),
        Column("plain_s", "alone s", ".1f"),
        Column("live_s", "watched s", ".1f"),
        Column("ratio", "÷", ".3f"),
        Column("lowest", "lowest", ".3f"),
        Column("highest", "highest", ".3f"),
        Column("messages", "messages", ",d"),
        Column("kib", "KiB sent", ",.0f"),
    ]
    return Report(
        "Training watched by LiveTraining ÷ unwatched, FGGM, the shipped model",
        columns,
        [row],
        [Target("a training watched by LiveTraining ÷ unwatched", row["ratio"], LIMIT)],
        [
            "Both run in one IPython kernel, in turn: run_sequence in the main thread, and "
            "LiveTraining.wait() with its Plotly figure open, whose messages are serialised and "
            "sent to a client that reads them. The widget is made before the clock starts.",
            "÷: the median over rounds, beside it the lowest and the highest round. Nothing is "
            "drawn: a browser on the same machine takes processor time of its own.",
        ],
    )


def measure(settings: Settings) -> Row:
    """Time whole trainings in a kernel, and count what the watched ones send."""
    tasks, limit, epochs = SIZES[settings.size]
    code = SETUP.format(
        threads=settings.threads, device=settings.device.type, tasks=tasks, limit=limit,
        epochs=epochs, rounds=settings.rounds,
    )  # fmt: skip
    with kernel() as client:
        execute(client, code)
        sent: list[int] = []
        times = side_by_side(
            {
                "plain": lambda: execute(client, "train()"),
                "live": lambda: sent.extend(execute(client, "watched.pop().wait()")),
            },
            replace(settings, patience=0),
            rehearse=False,
        )
    pairs = zip(times["live"].seconds, times["plain"].seconds, strict=True)
    ratios = [live / plain for live, plain in pairs]
    return {
        "steps": tasks * epochs * -(-limit // 32),
        "plain_s": times["plain"].median,
        "live_s": times["live"].median,
        "ratio": ratio(times["live"], times["plain"]),
        "lowest": min(ratios),
        "highest": max(ratios),
        "messages": len(sent) // settings.rounds,
        "kib": sum(sent) / settings.rounds / 1024,
        "raw": raw(times),
    }


@contextmanager
def kernel() -> Iterator[BlockingKernelClient]:
    """A client of an IPython kernel of its own, ended afterwards."""
    manager = KernelManager(transport="ipc")
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def execute(client: BlockingKernelClient, code: str) -> list[int]:
    """Run a cell to its end.

    Returns:
        the size in bytes of every widget message it sent to the page.

    Raises:
        RuntimeError: the cell failed.
    """
    sizes: list[int] = []

    def read(message: dict[str, Any]) -> None:
        if message["msg_type"] == "comm_msg":
            data = client.session.pack(message["content"])
            sizes.append(len(data) + sum(len(buffer) for buffer in message["buffers"]))

    reply = client.execute_interactive(code, output_hook=read, timeout=None)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"]["traceback"]))
    return sizes
