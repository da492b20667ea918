"""`fggm-lab fisher` and `audit`: what a task asks of a model, and whether its data is sound."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ByteSize, TypeAdapter, ValidationError
from rich.table import Table

from fggm_lab.cli.console import console, tell
from fggm_lab.cli.plain_prompts import warn_of_plain_prompts
from fggm_lab.errors import SettingError


def fisher(
    tasks: Annotated[str, typer.Option(help="`trace-mini` or a TRACE folder.")] = "trace-mini",
    task: Annotated[str | None, typer.Option(help="One task's name. [default: all]")] = None,
    model: Annotated[
        str, typer.Option(help="`tiny`, `smollm2`, a folder, a GGUF file or a hub id.")
    ] = "tiny",
    out: Annotated[Path | None, typer.Option(help="Folder for the scores. [default: none]")] = None,
    estimator: Annotated[str, typer.Option(help="`fggm-lab info` lists them.")] = "empirical",
    elementwise: Annotated[
        bool, typer.Option("--elementwise", help="Keep the whole diagonal, too.")
    ] = False,
    draws: Annotated[int, typer.Option(help="Labels `sampled` draws per answer token.")] = 1,
    max_examples: Annotated[
        int | None, typer.Option(help="Use only so many examples, drawn by the seed.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws examples and labels.")] = 0,
    memory_budget: Annotated[
        str | None, typer.Option(help="Bytes the pass may take, such as `500MB`. [default: any]")
    ] = None,
    stability: Annotated[
        bool,
        typer.Option("--stability", help="Also say how many examples make the mask stable."),
    ] = False,
    keep: Annotated[
        float, typer.Option(help="The share of units that the mask of --stability keeps.")
    ] = 0.3,
    max_length: Annotated[
        int | None,
        typer.Option(
            help="Tokens per example; longer prompts are cut from the left. [default: the "
            "model's context]"
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(help="The most examples per pass; only `batch` depends on it.")
    ] = 16,
    device: Annotated[str | None, typer.Option(help="`cpu`, `cuda`, …")] = None,
    dtype: Annotated[
        str | None, typer.Option(help="`float32`, `bfloat16`, … [default: `float32`]")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Score every unit of a model by its Fisher information on a task.

    Example: `fggm-lab fisher --task FOMC --out scores`
    """
    from fggm_lab.fisher import fisher_scores
    from fggm_lab.mask_settings import check_keep
    from fggm_lab.masks import mask_stability
    from fggm_lab.models import load_model
    from fggm_lab.tasks import load_tasks

    check_keep(keep)
    settings: dict[str, Any] = {
        "estimator": estimator,
        "draws": draws,
        "seed": seed,
        "max_length": max_length,
        "batch_size": batch_size,
        "memory_budget": None if memory_budget is None else _bytes(memory_budget),
        "progress": console.is_terminal and not json_,
    }
    sequence = load_tasks(tasks, allow_missing=True)
    chosen = list(sequence) if task is None else [sequence[task]]
    network, tokenizer = load_model(model, device=device, dtype=dtype, for_training=True)
    records = []
    for item in chosen:
        scores = fisher_scores(
            network,
            tokenizer,
            item.train,
            elementwise=elementwise,
            max_examples=max_examples,
            task=item.name,
            **settings,
        )
        if out is not None:
            scores.save(out / item.name)
        rows = []
        if stability:
            rows = mask_stability(network, tokenizer, item.train, keep=keep, **settings)
        if json_:
            records.append(_record(scores, rows, keep))
            continue
        _print_scores(scores)
        if out is not None:
            console.print(f"wrote {out / item.name}.safetensors", highlight=False)
        if stability:
            _print_stability(item.name, rows)
    if json_:
        tell(json.dumps(records, indent=1, ensure_ascii=False, allow_nan=False))


def _record(scores: Any, stability: list[dict[str, Any]], keep: float) -> dict[str, Any]:
    """A task's scores as JSON has them: how they were made, and a row per parameter."""
    record = {"info": asdict(scores.info), "parameters": scores.table()}
    return record | ({"keep": keep, "stability": stability} if stability else {})


def _bytes(text: str) -> int:
    """A number of bytes, with or without a unit."""
    try:
        return int(TypeAdapter(ByteSize).validate_python(text))
    except ValidationError:
        raise SettingError(
            f"--memory-budget {text}: write a number of bytes, such as 500MB or 2GiB"
        ) from None


def _print_scores(scores: Any) -> None:
    table = Table(
        title=f"Fisher unit scores on {scores.info.task} ({scores.info.examples} examples)"
    )
    for column in ("parameter", "units", "total", "median", "max"):
        table.add_column(column, justify="left" if column == "parameter" else "right")
    for row in scores.table():
        numbers = (
            "not finite" if row[c] is None else f"{row[c]:.3g}" for c in ("total", "median", "max")
        )
        table.add_row(row["name"], str(row["units"]), *numbers)
    console.print(table)


def _print_stability(task: str, rows: list[dict[str, Any]]) -> None:
    from fggm_lab.masks import examples_needed

    table = Table(title=f"Masks from disjoint examples of {task}: do they agree?")
    for column in ("examples", "Jaccard", "spread", "by chance"):
        table.add_column(column, justify="right")
    for row in rows:
        numbers = (f"{row[c]:.3f}" for c in ("jaccard", "sd", "expected"))
        table.add_row(str(row["examples"]), *numbers)
    console.print(table)
    for jaccard in (0.8, 0.9):
        needed = examples_needed(rows, jaccard)
        count = f"more than {rows[-1]['examples']}" if needed is None else str(needed)
        console.print(f"for a Jaccard index of {jaccard}: {count} examples", highlight=False)


def audit(
    folder: Annotated[str, typer.Argument(help="A folder in TRACE's layout, or `trace-mini`.")],
    model: Annotated[
        str | None,
        typer.Option(help="Also say what this model scores untrained. [default: no model]"),
    ] = None,
    chat: Annotated[
        bool, typer.Option("--chat", help="Write prompts with the model's chat template.")
    ] = False,
    examples: Annotated[int, typer.Option(help="Of each task, scored untrained.")] = 40,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Tokens of an answer. [default: as many as can matter]")
    ] = None,
    device: Annotated[str | None, typer.Option(help="`cpu`, `cuda`, …")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Look for duplicates, leaks between splits and empty answers in a task folder.

    Example: `fggm-lab audit real-mini --model smollm2 --chat`
    """
    from fggm_lab.tasks import audit as examine
    from fggm_lab.tasks import load_tasks

    _check_chat(model, chat)
    sequence = load_tasks(folder, allow_missing=True)
    findings = examine(sequence)
    scores = []
    if model is not None:
        from fggm_lab.evaluation.untrained import untrained_scores
        from fggm_lab.models import load_model

        network, tokenizer = load_model(model, device=device)
        if chat:
            sequence = sequence.as_conversations()
        warn_of_plain_prompts(model, tokenizer, sequence)
        scores = untrained_scores(
            network, tokenizer, sequence, examples=examples, max_new_tokens=max_new_tokens
        )
    if json_:
        record = findings.to_json()
        if model is not None:
            record["untrained"] = [{**asdict(row), "is_known": row.is_known} for row in scores]
        tell(json.dumps(record, indent=1, ensure_ascii=False))
        return
    for warning in [*findings.warnings(), *filter(None, (row.warning() for row in scores))]:
        console.print_marked("warning", "yellow", warning)
    if findings.clean:
        console.print("clean: no duplicates, no leaks between splits, no empty answers")
    for row in scores:
        parts = [
            f"{row.task}: {row.score:.2f} untrained, {row.constant:.2f} by a constant answer, of "
            f"{row.examples} examples"
        ]
        if row.truncated:
            parts.append(f"prompts cut from the left to fit: {row.truncated}")
        if row.skipped:
            parts.append(f"further ones whose answers do not fit, left out: {row.skipped}")
        console.print("; ".join(parts), soft_wrap=True, highlight=False)


def _check_chat(model: str | None, chat: bool) -> None:
    """Refuse a chat template without a model."""
    if model is None and chat:
        raise SettingError("--chat goes with --model; name the model, too")
