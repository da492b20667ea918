"""`fggm-lab compare`, `report` and `info`: what runs came to."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fggm_lab.cli.console import console
from fggm_lab.errors import RunError


def print_comparison(runs: list[Any]) -> None:
    from fggm_lab.runs import comparison, comparison_table

    console.print(comparison_table(comparison(runs)))


def _runs_in(folders: list[Path]) -> list[Any]:
    from fggm_lab.runs import find_runs

    found = [run for folder in folders for run in find_runs(folder)]
    if not found:
        named = ", ".join(str(folder) for folder in folders)
        raise RunError(f"{named} holds no run; name a folder that `fggm-lab run` wrote")
    return found


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


def report(
    folders: Annotated[list[Path], typer.Argument(help="Run folders, or folders of runs.")],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
) -> None:
    """Write a stand-alone HTML report: the comparison, every figure, the score matrices.

    Example: `fggm-lab report runs/demo --out report.html`
    """
    from fggm_lab.report import write_report

    write_report(_runs_in(folders), out)
    console.print(f"report: {out.resolve()}", soft_wrap=True, highlight=False)


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
    table.add_row("trace-mini", ", ".join(load_tasks("trace-mini").names))
    for estimator in ESTIMATORS.values():
        table.add_row(f"estimator {estimator.name}", estimator.description)
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
