"""`fggm-lab code`: pass@k; and what every command says of code and what shuts programs in."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from fggm_lab.cli.console import console, tell

if TYPE_CHECKING:  # the tasks' own imports would slow every command's start
    from fggm_lab.tasks import General, Task

_SHOWN = (1, 2, 5, 10, 20, 50, 100, 200)
"""The k of pass@k in the table, the number of samples beside them; JSON has every one."""


def code(
    on: Annotated[
        Path,
        typer.Option(help="Problems as HumanEval, MBPP or code-mini have them: `.json`, `.jsonl`."),
    ],
    model: Annotated[
        str,
        typer.Option(
            help="`tiny`, `smollm2`, a folder, a GGUF file, a run's checkpoint or a hub id."
        ),
    ] = "tiny",
    samples: Annotated[int, typer.Option(help="Completions of each problem.")] = 10,
    temperature: Annotated[
        float, typer.Option(help="They are drawn at; 0, with 1 sample, is greedy.")
    ] = 0.8,
    max_new_tokens: Annotated[
        int | None,
        typer.Option(help="Most tokens of one. [default: half of the context, at most 512]"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use the first N problems.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the completions.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Completions per forward pass.")] = 64,
    out: Annotated[
        Path | None,
        typer.Option(help="Also write every completion and its reason here, as Parquet."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="`cpu`, `cuda`, …")] = None,
    allow_code_execution: Annotated[
        bool,
        typer.Option(
            "--allow-code-execution",
            help="Needed: what the model writes is run, shut in as far as possible.",
        ),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Estimate pass@k: draw completions of code problems and run them with their tests.

    Example: `fggm-lab code --on humaneval.json --samples 20 --allow-code-execution`
    """
    from fggm_lab.evaluation.completions import (
        pass_at_every_k,
        sample_completions,
        write_completions,
    )
    from fggm_lab.models import load_model
    from fggm_lab.tasks.code import check_allowed, read_problems

    check_allowed(allow_code_execution)
    problems = read_problems(on)[:limit]
    console.stderr = json_
    try:
        _tell_isolation()
        network, tokenizer = load_model(model, device=device)
        completions = sample_completions(
            network,
            tokenizer,
            problems,
            samples,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seed=seed,
            batch_size=batch_size,
            allow=allow_code_execution,
        )
        if out is not None:
            write_completions(out, completions)
            console.print(f"wrote {out}", highlight=False)
        if cut := len({completion.problem for completion in completions if completion.truncated}):
            console.print(
                f"{cut} of {len(problems)} prompts were cut from the left for the model to read "
                "(the programs have them whole)",
                highlight=False,
            )
    finally:
        console.stderr = False
    estimates = pass_at_every_k(completions)
    reasons = Counter(completion.reason for completion in completions).most_common()
    if json_:
        record = {"pass@k": estimates, "problems": len(problems), "reasons": dict(reasons)}
        tell(json.dumps(record, indent=1, ensure_ascii=False))
        return
    console.print(
        f"{model} on {on.name}: {len(problems)} problems, {samples} completions each",
        highlight=False,
    )
    table = Table(show_header=False)
    for k, value in estimates.items():
        if k in _SHOWN or k == samples:
            table.add_row(f"pass@{k}", f"{value:.3f}")
    table.add_section()
    for reason, number in reasons:
        table.add_row(reason, str(number))
    console.print(table)


def tell_about_code(tasks: "Sequence[Task]", general: "General | None", allowed: bool) -> None:
    """One line where tasks or skills have tests: how they are scored; where programs run, more.

    Args:
        tasks: the tasks that are scored.
        general: what General is measured on, if it is.
        allowed: whether programs may be run.
    """
    from fggm_lab.tasks import PASS_AT_1

    names = [task.name for task in tasks if task.metric == PASS_AT_1]
    names += [] if general is None else [f"{name} (General)" for name in general.code]
    if not names:
        return
    if not allowed:
        console.print(
            f"{', '.join(names)}: scored by exact match of the text; --allow-code-execution runs "
            "the programs with their tests instead",
            highlight=False,
        )
        return
    console.print(f"{', '.join(names)}: scored by running programs", highlight=False)
    _tell_isolation()


def _tell_isolation() -> None:
    """One line: what keeps a program in on this machine, and what does not."""
    from fggm_lab.tasks.code import isolation

    line = f"programs are shut in; {isolation().summary()}"
    console.print(line, highlight=False, soft_wrap=True)
