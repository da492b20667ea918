"""`fggm-lab general`: what a model can do, without training it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.table import Table

from fggm_lab.cli.code import tell_about_code
from fggm_lab.cli.console import console, tell
from fggm_lab.errors import SettingError

if TYPE_CHECKING:  # the tasks' own imports would slow every command's start
    from fggm_lab.tasks import ChooseBy, General

_Split = Literal["test", "eval"]


def general(
    model: Annotated[
        str,
        typer.Option(
            help="`tiny`, `smollm2`, a folder, a GGUF file, a run's checkpoint or a hub id."
        ),
    ] = "tiny",
    on: Annotated[
        str | None,
        typer.Option(help="As `--general` of `fggm-lab run`. [default: the shipped skills]"),
    ] = None,
    choices: Annotated[
        str,
        typer.Option(
            help="How multiple-choice questions are answered: by likelihood per `character` or "
            "`token` of a choice or its `sum`, or by `generation`."
        ),
    ] = "character",
    split: Annotated[_Split, typer.Option(help="`test`, or `eval` to choose settings.")] = "test",
    harness: Annotated[
        str | None,
        typer.Option(
            help="Instead, tasks of lm-evaluation-harness, comma-separated; `trace` is TRACE's six "
            "sets, `chat` HellaSwag and IFEval."
        ),
    ] = None,
    chat: Annotated[
        bool,
        typer.Option("--chat", help="Write the harness's prompts with the chat template."),
    ] = False,
    include: Annotated[
        Path | None, typer.Option(help="A folder with YAML files of further harness tasks.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use the first N examples of each skill.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens per example. [default: the context, at most 1024]")
    ] = None,
    skip_too_long: Annotated[
        bool,
        typer.Option("--skip-too-long", help="Leave out, and count, what does not fit."),
    ] = False,
    allow_code_execution: Annotated[
        bool,
        typer.Option(
            "--allow-code-execution",
            help="Score skills with tests by running what the model writes, shut in as far as "
            "possible.",
        ),
    ] = False,
    device: Annotated[str | None, typer.Option(help="`cpu`, `cuda`, …")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure a model's general ability on skills, multiple choice, texts or public sets.

    Example: `fggm-lab general --model runs/demo/fggm/checkpoints/08-20Minuten`
    """
    from fggm_lab.models import load_model
    from fggm_lab.tasks import SHIPPED, load_general

    _check_together(on, harness, include, chat, skip_too_long, allow_code_execution)
    if harness is None:
        way = cast("ChooseBy", choices)  # `load_general` checks it
        ability = load_general(on or SHIPPED, split, way).limited(limit)
        console.stderr = json_
        try:
            tell_about_code((), ability, allow_code_execution)
        finally:
            console.stderr = False
        network, tokenizer = load_model(model, device=device)
        measured = _measure(
            network, tokenizer, ability, split, max_length, skip_too_long, allow_code_execution
        )
    else:
        network, tokenizer = load_model(model, device=device)
        from fggm_lab.evaluation.lm_evaluation_harness import SETS, harness_general

        names = list(SETS.get(harness) or (name.strip() for name in harness.split(",")))
        measured = harness_general(
            network, tokenizer, names,
            include=include, limit=limit, max_length=max_length, chat=chat,
        )  # fmt: skip
    if json_:
        tell(json.dumps(measured, indent=1, ensure_ascii=False))
        return
    table = Table(title=f"General of {model}", show_header=False)
    for skill, score in measured["skills"].items():
        table.add_row(skill, f"{score:.3f}", measured.get("metrics", {}).get(skill, ""))
    table.add_row("General", f"{measured['score']:.3f}", measured.get("name", "mean"))
    console.print(table)
    if skipped := measured.get("skipped"):
        console.print(f"{skipped} examples were left out, since they do not fit")
    if cut := measured.get("truncated"):
        console.print(f"{cut} prompts were cut from the left to fit")


def _check_together(
    on: str | None,
    harness: str | None,
    include: Path | None,
    chat: bool,
    skip_too_long: bool,
    allow_code_execution: bool,
) -> None:
    """Refuse options that exclude each other."""
    if harness is not None and on is not None:
        raise SettingError("--on and --harness exclude each other; give one of them")
    if harness is None and include is not None:
        raise SettingError("--include goes with --harness; name the harness task, too")
    if harness is None and chat:
        raise SettingError("--chat goes with --harness; name the harness task, too")
    if harness is not None and skip_too_long:
        raise SettingError("--skip-too-long is for skills; leave it out with --harness")
    if harness is not None and allow_code_execution:
        raise SettingError(
            "--allow-code-execution is for skills with tests; leave it out with --harness"
        )


def _measure(
    model: Any,
    tokenizer: Any,
    ability: "General",
    split: _Split,
    max_length: int | None,
    skip_too_long: bool,
    allow_code_execution: bool,
) -> dict[str, Any]:
    """General as a run measures it."""
    from fggm_lab.evaluation import evaluate

    measured = evaluate(
        model,
        tokenizer,
        [],
        ability,
        split=split,
        max_length=max_length,
        skip_too_long=skip_too_long,
        allow_code_execution=allow_code_execution,
    )
    unit = "held-out loss, nats per token" if ability.texts else "mean"
    return {**measured.to_json()["general"], "name": f"{unit} of {ability.name}"}
