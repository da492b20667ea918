"""What a report costs as its runs and tasks grow, in processor seconds and megabytes."""

import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.harness import Column, Report, Row, Settings, Target
from fggm_lab.fisher.scores import FisherInfo, FisherScores
from fggm_lab.masks import Mask
from fggm_lab.report.page import report_html
from fggm_lab.runs import Run, RunConfig, ScoreMatrix, find_runs

METHODS = ("sft", "migu", "fggm", "random")
TASKS = 8
RUNS = (75, 150, 300)
SEQUENCES = (25, 50, 100)
POINTS, STEPS = 5, 40
SECONDS = 20.0
"""What a report of 300 runs or 100 tasks may take."""


def run(settings: Settings) -> Report:
    """One row per kind of growth and size."""
    tiny = settings.size == "tiny"
    grown = {"seeds": RUNS, "settings": RUNS, "tasks": SEQUENCES}
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for varied, sizes in ({"tasks": (2,)} if tiny else grown).items():
            for size in sizes:
                rows.append(measure(Path(folder) / f"{varied}-{size}", varied, size))
    columns = [
        Column("varied", "varied"),
        Column("runs", "runs", "d"),
        Column("tasks", "tasks", "d"),
        Column("seconds", "processor s", ".1f"),
        Column("megabytes", "page, MB", ".1f"),
    ]
    note = (
        "Made runs of four methods; two keep masks, one its Fisher scores. Varied: seeds of the "
        "methods, their settings, or the tasks of one run of each."
    )
    longest = max(row["seconds"] for row in rows)
    targets = [Target("a report of 300 runs or 100 tasks, processor seconds", longest, SECONDS)]
    title = "What a report costs"
    return Report(title, columns, rows, [] if tiny else targets, [note])


def measure(folder: Path, varied: str, size: int) -> Row:
    """Make the runs, and time their report."""
    for index, (number, method) in enumerate(product(range(size), METHODS)):
        if varied == "tasks":
            if index < len(METHODS):
                make_run(folder / method, method, size)
        elif index < size:
            changed = {"seed": number} if varied == "seeds" else {"lr": (number + 1) / 10_000}
            make_run(folder / str(number) / method, method, TASKS, **changed)
    runs = find_runs(folder)
    begun = time.process_time()
    html = report_html(runs)
    return {
        "varied": varied,
        "runs": len(runs),
        "tasks": len(runs[0].config.task_names),
        "seconds": time.process_time() - begun,
        "megabytes": len(html.encode()) / 1e6,
    }


def make_run(path: Path, method: str, tasks: int, **settings: Any) -> Run:
    """A finished run with scores, masks and an evaluation at each point of a training."""
    names = [f"task {index}" for index in range(tasks)]
    config = {
        "model": "made", "model_fingerprint": "0" * 16, "tasks": "made", "task_names": names,
        "task_fingerprint": "0" * 16, "general": "made", "method": method, "epochs": 1,
        "batch_size": 4, "lr": 1e-3, "max_length": 64, "seed": 0,
    }  # fmt: skip
    run = Run.create(path, RunConfig(**{**config, **settings}))
    run.append({"kind": "start", "time": "2026-11-29T00:00:00", "steps": [STEPS] * tasks})
    for event in evaluations(names):
        run.append(event)
    for index in range(tasks):
        run.append({"kind": "task", "task": index, "name": names[index],
                    "kept": 3, "units": 10,
                    "seconds": {"score": 1.0, "train": 8.0, "evaluate": 2.0}})  # fmt: skip
        if method in ("fggm", "random"):
            scores = made_scores(names[index], index)
            Mask.top(scores, 0.3).save(run.file("masks", index))
            if method == "fggm":
                scores.save(run.file("fisher", index))
    run.append({"kind": "end", "time": "2026-11-29T00:01:00", "seconds": 60.0})
    run.save_scores(ScoreMatrix.from_events(names, run.events("evaluation"), "made", "higher"))
    return run


def evaluations(names: list[str]) -> Iterator[dict[str, Any]]:
    """The evaluations of a run: of all tasks before it and after each, of samples inside."""
    for index, point in product(range(-1, len(names)), range(1, POINTS + 1)):
        final = point == POINTS
        if index < 0 and not final:
            continue
        measured = names if final else names[: index + 1]
        yield {
            "kind": "evaluation", "task": index, "task_step": point * STEPS // POINTS,
            "step": max(index, 0) * STEPS + (point * STEPS // POINTS if index >= 0 else 0),
            "final": final, "general": {"score": 0.5, "skills": {"made": 0.5}},
            "tasks": {name: {"score": 1 / (1 + abs(index - at)), "exact": 0.5, "nll": 1.0,
                             "examples": 8} for at, name in enumerate(measured)},
        }  # fmt: skip


def made_scores(task: str, seed: int) -> FisherScores:
    """Scores of a small model of four layers."""
    rng = torch.Generator().manual_seed(seed)
    modules = ("self_attn.q_proj", "self_attn.v_proj", "mlp.gate_proj", "mlp.down_proj")
    units = {
        f"model.layers.{layer}.{module}.weight": torch.randn(128, generator=rng).exp()
        for layer, module in product(range(4), modules)
    }
    info = FisherInfo("empirical", "input", 100, 1200, "0" * 16, task)
    return FisherScores(units, dict.fromkeys(units, 0), None, info)
