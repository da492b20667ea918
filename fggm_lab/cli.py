"""The command line: run, compare, report, fisher, audit, info."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fggm_lab.errors import LabError, RunError, SettingError

app = typer.Typer(
    help="See why a language model forgets, and make it forget less (FGGM, arXiv 2601.18261).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
console = Console()

MASKING = ("fggm", "random", "migu")
"""Methods whose share of moving units `--keep` sets."""


def _value(text: str) -> Any:
    """A setting's value: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _method_settings(
    names: list[str], keep: float | None, pairs: list[str]
) -> dict[str, dict[str, Any]]:
    settings: dict[str, dict[str, Any]] = {name: {} for name in names}
    for name in names:
        if keep is not None and name in MASKING:
            settings[name]["keep"] = keep
    for pair in pairs:
        left, equals, value = pair.partition("=")
        method, dot, key = left.partition(".")
        if not (equals and dot):
            raise SettingError(f"--set {pair}: write it as METHOD.SETTING=VALUE")
        if method not in settings:
            raise SettingError(f"--set {pair}: {method} is not among --methods {','.join(names)}")
        settings[method][key] = _value(value)
    return settings


def _task_index(run: Any, task: str) -> int:
    """The 0-based place of a task given by its name or its number, counted from 1."""
    names: list[str] = run.config.task_names
    if task in names:
        return names.index(task)
    if task.isdigit() and 1 <= int(task) <= len(names):
        return int(task) - 1
    raise SettingError(
        f"--task {task}: {run.path} has the tasks {', '.join(names)}; give a name or a number "
        f"from 1 to {len(names)}"
    )


@app.command()
def run(
    out: Annotated[Path, typer.Option(help="Folder that gets one run folder per method.")],
    model: Annotated[
        str, typer.Option(help="`tiny` (shipped), a Hugging Face folder or a hub id.")
    ] = "tiny",
    tasks: Annotated[
        str, typer.Option(help="`trace-mini` (shipped) or a folder in TRACE's layout.")
    ] = "trace-mini",
    methods: Annotated[
        str, typer.Option(help="Comma-separated; `fggm-lab info` lists them.")
    ] = "sft,migu,fggm,random",
    general: Annotated[
        str | None,
        typer.Option(
            help="What General is measured on: `trace-mini`, a folder or file of JSON examples, "
            "a text file (held-out loss), or `none`. [default: the shipped skills with the "
            "shipped model, else none]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Orders the data and draws random masks.")] = 0,
    epochs: Annotated[float, typer.Option(help="Passes over each task's training split.")] = 5,
    batch_size: Annotated[int, typer.Option(help="Examples per step.")] = 32,
    lr: Annotated[float, typer.Option(help="Peak learning rate, falling linearly to 0.")] = 5e-4,
    weight_decay: Annotated[float, typer.Option(help="AdamW's weight decay.")] = 0.0,
    clip: Annotated[float, typer.Option(help="Largest gradient norm, after masking.")] = 1.0,
    micro_batch: Annotated[
        int | None, typer.Option(help="Examples per forward pass. [default: the batch]")
    ] = None,
    autocast: Annotated[
        bool, typer.Option("--autocast", help="Matrix products in bfloat16.")
    ] = False,
    recompute: Annotated[
        bool,
        typer.Option("--recompute", help="Compute activations anew in backward; saves memory."),
    ] = False,
    keep: Annotated[
        float | None, typer.Option(help="Share of units that may move, for masking methods.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A method's setting, such as `fggm.scope=global`; repeatable."),
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens per example. [default: the context, at most 1024]")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Use the first N examples of a split.")] = None,
    order: Annotated[
        str | None, typer.Option(help="Task names, comma-separated. [default: TRACE's order]")
    ] = None,
    split: Annotated[
        str, typer.Option(help="The split that is scored; `eval` to choose settings.")
    ] = "test",
    points: Annotated[int, typer.Option(help="Evaluations inside each task.")] = 12,
    probe: Annotated[int, typer.Option(help="Examples per task for each of them.")] = 8,
    device: Annotated[
        str | None, typer.Option(help="`cpu`, `cuda`, … [default: a GPU where there is one]")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="`float32`, `bfloat16`, …")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted call stopped.")
    ] = False,
    from_: Annotated[
        Path | None, typer.Option("--from", help="Continue another run's model …")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="… from after this task (its name or number, from 1).")
    ] = None,
    keep_checkpoints: Annotated[
        bool, typer.Option(help="Keep the model after every task, not only the last.")
    ] = True,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Let a hub model run its own code.")
    ] = False,
) -> None:
    """Train a model through a task sequence under one or more methods.

    Example: `fggm-lab run --methods sft,fggm,random --seed 1 --out runs/first`
    """
    from fggm_lab.methods import make_method
    from fggm_lab.models import load_model
    from fggm_lab.progress import RunProgress
    from fggm_lab.runs import Run
    from fggm_lab.tasks import SHIPPED, audit, load_general, load_tasks
    from fggm_lab.training import run_sequence

    names = [name.strip() for name in methods.split(",") if name.strip()]
    settings = _method_settings(names, keep, set_ or [])
    made = [make_method(name, **settings[name]) for name in names]
    if (from_ is None) != (task is None):
        raise SettingError("--from and --task go together: the run, and the task it is left after")
    source = None if from_ is None else Run.open(from_)
    branch = None if source is None else (source, _task_index(source, task or ""))
    sequence = load_tasks(tasks, order=order.split(",") if order else None)
    for warning in audit(sequence).warnings():
        console.print(f"[yellow]warning[/] {warning}", highlight=False)
    if general is None:
        general = SHIPPED if model == "tiny" else "none"
    ability = None if general == "none" else load_general(general, split=split)
    finished = []
    for method in made:
        network, tokenizer = load_model(
            model, device=device, dtype=dtype, trust_remote_code=trust_remote_code
        )
        with RunProgress(console, method.name) as progress:
            finished.append(
                run_sequence(
                    network,
                    tokenizer,
                    sequence,
                    method,
                    out / method.name,
                    general=ability,
                    seed=seed,
                    epochs=epochs,
                    batch_size=batch_size,
                    lr=lr,
                    weight_decay=weight_decay,
                    clip=clip,
                    micro_batch=micro_batch,
                    autocast=autocast,
                    recompute=recompute,
                    max_length=max_length,
                    limit=limit,
                    split=split,
                    points_per_task=points,
                    probe=probe,
                    model_name=model,
                    resume=resume,
                    branch=branch,
                    keep_checkpoints=keep_checkpoints,
                    in_place=True,
                    listener=progress,
                )
            )
    cut = sum(e["truncated"] for e in finished[0].events("task"))
    if cut:
        console.print(
            f"{cut} training prompts were cut from the left to {finished[0].config.max_length} "
            "tokens (the answers are whole)"
        )
    _print_comparison(finished)


def _print_comparison(runs: list[Any]) -> None:
    from fggm_lab.runs import comparison, comparison_table

    console.print(comparison_table(comparison(runs)))


def _runs_in(folders: list[Path]) -> list[Any]:
    from fggm_lab.runs import find_runs

    found = [run for folder in folders for run in find_runs(folder)]
    if not found:
        named = ", ".join(str(folder) for folder in folders)
        raise RunError(f"{named} holds no run; name a folder that `fggm-lab run` wrote")
    return found


@app.command()
def compare(
    folders: Annotated[list[Path], typer.Argument(help="Run folders, or folders of runs.")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Also write the rows here as CSV.")] = None,
    json_file: Annotated[Path | None, typer.Option(help="Also write the rows as JSON.")] = None,
) -> None:
    """Compare runs over the same tasks; runs that differ in the seed alone are averaged.

    Example: `fggm-lab compare runs/demo --csv comparison.csv`
    """
    from fggm_lab.files import write_text
    from fggm_lab.runs import comparison, comparison_table, over_seeds, to_csv, to_json

    rows = comparison(_runs_in(folders))
    if csv is not None:
        write_text(csv, to_csv(rows))
    if json_file is not None:
        write_text(json_file, to_json(rows))
    if json_:
        typer.echo(to_json(rows))
        return
    console.print(comparison_table(rows))
    grouped = over_seeds(rows)
    if len(grouped) < len(rows):
        console.print(comparison_table(grouped))


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(help="Run folders, or folders of runs.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
) -> None:
    """Write a stand-alone HTML report: the comparison and the three figures.

    Example: `fggm-lab report runs/demo --out report.html`
    """
    from fggm_lab.report import write_report

    write_report(_runs_in(folders), out)
    console.print(f"report: {out.resolve()}", soft_wrap=True, highlight=False)


@app.command()
def fisher(
    tasks: Annotated[str, typer.Option(help="`trace-mini` or a TRACE folder.")] = "trace-mini",
    task: Annotated[str | None, typer.Option(help="One task's name. [default: all]")] = None,
    model: Annotated[str, typer.Option(help="`tiny`, a folder or a hub id.")] = "tiny",
    out: Annotated[Path | None, typer.Option(help="Folder for the scores. [default: none]")] = None,
    estimator: Annotated[str, typer.Option(help="How the Fisher is estimated.")] = "empirical",
    elementwise: Annotated[
        bool, typer.Option("--elementwise", help="Keep the whole diagonal, too.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="Use the first N examples.")] = None,
    device: Annotated[str | None, typer.Option(help="`cpu`, `cuda`, …")] = None,
) -> None:
    """Score every unit of a model by its Fisher information on a task.

    Example: `fggm-lab fisher --task FOMC --out scores`
    """
    from fggm_lab.fisher import fisher_scores
    from fggm_lab.models import load_model
    from fggm_lab.tasks import load_tasks

    sequence = load_tasks(tasks)
    chosen = list(sequence) if task is None else [sequence[task]]
    network, tokenizer = load_model(model, device=device)
    for item in chosen:
        scores = fisher_scores(
            network,
            tokenizer,
            item.train,
            estimator=estimator,
            elementwise=elementwise,
            max_examples=limit,
            task=item.name,
        )
        table = Table(title=f"Fisher unit scores on {item.name} ({scores.made.examples} examples)")
        for column in ("parameter", "units", "total", "median", "max"):
            table.add_column(column, justify="left" if column == "parameter" else "right")
        for row in scores.table():
            table.add_row(
                row["name"],
                str(row["units"]),
                *(f"{row[c]:.3g}" for c in ("total", "median", "max")),
            )
        console.print(table)
        if out is not None:
            scores.save(out / item.name)
            console.print(f"wrote {out / item.name}.safetensors", highlight=False)


@app.command()
def audit(
    folder: Annotated[str, typer.Argument(help="A folder in TRACE's layout, or `trace-mini`.")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Look for duplicates, leaks between splits and empty answers in a task folder.

    Example: `fggm-lab audit data/trace-mini`
    """
    from fggm_lab.tasks import audit as examine
    from fggm_lab.tasks import load_tasks

    found = examine(load_tasks(folder))
    if json_:
        typer.echo(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
        return
    for warning in found.warnings():
        console.print(f"[yellow]warning[/] {warning}", highlight=False)
    if found.clean:
        console.print("clean: no duplicates, no leaks between splits, no empty answers")


@app.command()
def info(
    path: Annotated[Path | None, typer.Argument(help="A run folder to describe.")] = None,
) -> None:
    """Show versions, device, methods and shipped data; or what a run is and how far it got.

    Example: `fggm-lab info runs/demo/fggm`
    """
    if path is not None:
        _describe_run(path)
        return
    import torch

    from fggm_lab.fisher import ESTIMATORS
    from fggm_lab.methods import METHODS
    from fggm_lab.runs import versions
    from fggm_lab.tasks import load_tasks

    table = Table(show_header=False)
    for package, number in versions().items():
        table.add_row(package, number)
    table.add_row("device", "cuda" if torch.cuda.is_available() else "cpu")
    table.add_row("estimators", ", ".join(ESTIMATORS))
    table.add_row("trace-mini", ", ".join(load_tasks("trace-mini").names))
    for name, method in METHODS.items():
        table.add_row(f"method {name}", (method.__doc__ or "").strip().splitlines()[0])
    console.print(table)


def _describe_run(path: Path) -> None:
    from fggm_lab.runs import Run

    found = Run.open(path)
    done = len(found.events("task"))
    table = Table(title=str(path), show_header=False)
    table.add_row("state", f"{done} of {len(found.config.task_names)} tasks done")
    for name, value in found.config.settings().items():
        table.add_row(name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
    for name, number in found.metrics().items():
        table.add_row(name, "–" if number is None else f"{number:.3f}")
    console.print(table)


def main() -> None:
    """Entry point: a user's mistake is one sentence on standard error and exit status 2."""
    try:
        app()
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped; the same command with --resume goes on from here", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
