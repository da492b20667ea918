"""`python -m benchmarks.gpu`: what only a GPU shows, in eight minutes, as one JSON file.

Three parts, each begun only while there is time: the tests marked `gpu`; the Fisher pass and a step
of FGGM beside the ordinary ones, on Qwen2's shapes at four lengths in bfloat16; and the real model
through its tasks, under four methods and three seeds. The file is written anew after every row, so
that what a time limit cuts off loses nothing.
"""

import copy
import json
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from transformers import PreTrainedModel

from benchmarks import fisher, training
from benchmarks.harness import Row, Settings, environment
from benchmarks.models import Shape, make_batch, make_model, shapes
from fggm_lab.files import write_json
from fggm_lab.runs import comparison

LENGTHS = (128, 512, 1024, 2048)
TOKENS = 4096
"""Tokens of a batch, whatever the length of its examples."""

METHODS = ("sft", "fggm", "random", "self-kl")
SEEDS = (1, 2, 3)

app = typer.Typer(add_completion=False)


@app.command()
def main(
    minutes: Annotated[float, typer.Option(help="After these no part begins anew.")] = 8.0,
    device: Annotated[str, typer.Option(help="`cuda`; `cpu` only to see that all runs.")] = "cuda",
    model: Annotated[str, typer.Option(help="Of the study: `smollm2`, a folder, a hub id.")] = (
        "smollm2"
    ),
    only: Annotated[
        list[str] | None, typer.Option(help="`tests`, `lengths` or `study`; repeatable.")
    ] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="Only to see that all runs.")] = False,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Measure on a GPU whatever time allows, and write it down as it comes."""
    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("there is no CUDA device; --device cpu --tiny tries the script")
    unknown = set(only or ()) - PARTS.keys()
    if unknown:
        raise typer.BadParameter(f"no part is named '{min(unknown)}'; there are: {list(PARTS)}")
    size = "tiny" if tiny else "full"
    settings = Settings(torch.device(device), size, rounds=1 if tiny else 5)  # type: ignore[arg-type]
    target = out or Path("benchmarks", "results", f"{device}-{date.today()}-gpu.json")
    end = time.monotonic() + 60 * minutes
    errors = 0
    record: dict[str, Any] = {"environment": environment(settings), "minutes": minutes}
    for name in only or PARTS:
        rows: list[Row] = []
        record[name] = {"rows": rows, "complete": False}
        for row in PARTS[name](settings, model, end):
            rows.append(row)
            typer.echo(f"{name}: {json.dumps({k: v for k, v in row.items() if k != 'raw'})}")
            write_json(target, record)
        failed = [row for row in rows if row.get("error") or row.get("failed")]
        record[name]["complete"] = time.monotonic() < end and not failed
        write_json(target, record)
        errors += len(failed)
    typer.echo(f"wrote {target}")
    if errors:
        typer.echo(f"{errors} rows failed; see their error", err=True)
        raise typer.Exit(1)


def run_tests(settings: Settings, model: str, end: float) -> Iterator[Row]:
    """The tests marked `gpu`: how many passed, and which did not."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "tests.xml"
        words = ["-m", "pytest", "-q", "-m", "gpu", "tests/gpu", f"--junitxml={report}"]
        seconds = _call(words, end, (0, 1))  # 1: a test failed
        if not report.exists():
            yield {"seconds": seconds, "failed": ["the tests did not end in time"]}
            return
        cases = list(ElementTree.parse(report).iter("testcase"))
    kinds = {case: {child.tag for child in case} for case in cases}
    failed = [case.get("name") for case, tags in kinds.items() if tags & {"failure", "error"}]
    skipped = sum("skipped" in tags for tags in kinds.values())
    passed = len(cases) - len(failed) - skipped
    yield {"seconds": seconds, "passed": passed, "skipped": skipped, "failed": failed}


def measure_lengths(settings: Settings, model: str, end: float) -> Iterator[Row]:
    """The Fisher pass and a step of FGGM ÷ the ordinary ones, for each shape and length."""
    for shape in shapes(settings, [], []):
        lengths = LENGTHS if settings.size == "full" else (shape.length,)
        # Drawn once: 1.5 B random weights take a CPU many seconds.
        random_model = make_model(replace(shape, length=max(lengths)), settings)
        for length in lengths:
            if time.monotonic() > end:
                return
            batch = max(1, TOKENS // length) if settings.size == "full" else shape.batch
            yield _measured(random_model, replace(shape, length=length, batch=batch), settings)


def _measured(model: PreTrainedModel, shape: Shape, settings: Settings) -> Row:
    try:
        row = fisher.measure(shape, settings, model)
        plain, masked = copy.deepcopy(model), copy.deepcopy(model)
        steps = training.measure_steps(plain, masked, make_batch(shape, settings), settings)
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return shape.row | {"error": "out of memory"}
    return row | steps | {"raw": {**row["raw"], **steps["raw"]}}


def study(settings: Settings, model: str, end: float) -> Iterator[Row]:
    """The real model through its tasks: a row for each seed and method."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in SEEDS if settings.size == "full" else SEEDS[:1]:
            for method in METHODS if settings.size == "full" else METHODS[:2]:
                if time.monotonic() > end:
                    return
                out = Path(folder) / str(seed)
                words = [
                    "-m", "fggm_lab.cli", "run", "--preset", "real", "--model", model,
                    "--methods", method, "--seed", str(seed), "--points", "0", "--out", str(out),
                    "--device", settings.device.type,
                ]  # fmt: skip
                if settings.size == "tiny":
                    words += ["--limit", "2", "--max-new-tokens", "2", "--max-length", "200"]
                seconds = _call(words, end)
                rows = comparison(out / method) if seconds is not None else []
                yield {"method": method, "seed": seed, "seconds": seconds, **_numbers(rows)}


def _numbers(rows: list[Row]) -> Row:
    """What a run came to, without its settings."""
    names = ("op_final", "learning_accuracy", "forgetting", "general_before", "general_after")
    return {name: rows[0].get(name) for name in names} if rows else {"error": "it did not end"}


def _call(words: list[str], end: float, good: Container[int] = (0,)) -> float | None:
    """Run Python with these words; its seconds, or None if it fails or time is over."""
    start = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, *words], timeout=max(1.0, end - start), check=False,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    return time.monotonic() - start if done.returncode in good else None


PARTS: dict[str, Callable[[Settings, str, float], Iterator[Row]]] = {
    "tests": run_tests,
    "lengths": measure_lengths,
    "study": study,
}
"""Each part by its name, in order."""


if __name__ == "__main__":
    app()
