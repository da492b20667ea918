"""`fggm-lab compare`, `report` and `info`: what runs came to."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from fggm_lab.cli.console import console, tell
from fggm_lab.errors import RunError, SettingError


def print_comparison(runs: list[Any]) -> None:
    """What runs over one task order show: in a sentence, one by one, and over their seeds."""
    from fggm_lab.runs import comparison, over_seeds
    from fggm_lab.runs.finding import finding
    from fggm_lab.runs.unlearned import unchecked_tasks, unlearned_tasks
    from fggm_lab.tables import comparison_table

    if sentence := finding(runs):
        console.print(sentence, style="bold", highlight=False)
    rows = comparison(runs)
    console.print(comparison_table(rows))
    means = over_seeds(rows)
    if len(means) < len(rows):
        console.print(comparison_table(means))
    for task, (before, after) in unlearned_tasks(runs).items():
        console.print_marked(
            "warning",
            "yellow",
            f"no method learned {task}: {before:.2f} untrained, {after:.2f} at best right after "
            "it; it tells nothing about methods",
        )
    if unchecked := unchecked_tasks(runs):
        console.print_marked(
            "warning",
            "yellow",
            f"whether any method learned {', '.join(unchecked)} is not known, since the untrained "
            "model was not scored; train with --score-unlearned to know it",
        )


def rows_and_means(runs: list[Any]) -> dict[str, list[Any]]:
    """Runs over one task order or several: a row per run, per order, and over all orders."""
    from fggm_lab.runs.orders import by_order, ordered, orders, over_orders

    rows = ordered(runs)
    several = len(orders(rows)) > 1
    return {
        "runs": rows,
        "by_order": by_order(rows),
        "over_orders": over_orders(rows) if several else [],
    }


def print_gathered(rows_by_grouping: dict[str, list[Any]]) -> None:
    """Means over seeds, order by order; then over orders, of what has one."""
    from fggm_lab.runs.orders import incomplete, orders
    from fggm_lab.tables import comparison_table

    every = orders(rows_by_grouping["by_order"])
    for order in every:
        rows = [row for row in rows_by_grouping["by_order"] if row["order"] == order]
        console.print(comparison_table(rows, title=f"order: {order}" if len(every) > 1 else None))
    if rows_by_grouping["over_orders"]:
        title = f"mean over {len(every)} orders and their seeds"
        console.print(comparison_table(rows_by_grouping["over_orders"], title=title))
        console.print(
            "the sd is over pairs of an order and a seed; the mean OP over steps and FWT differ in "
            "meaning from order to order and have no such mean",
            highlight=False,
        )
    for method, lacking in incomplete(rows_by_grouping["runs"]).items():
        console.print(
            f"{method} has no mean over orders: no run of {'; '.join(lacking)}", highlight=False
        )


def print_paired(rows: list[dict[str, Any]], baseline: str) -> None:
    """Differences from the baseline with both intervals; what no pair measured is left out."""
    from fggm_lab.tables import paired_table

    console.print(paired_table(rows, baseline))


def _runs_in(folders: list[Path]) -> list[Any]:
    from fggm_lab.runs import find_runs

    runs = [run for folder in folders for run in find_runs(folder)]
    if not runs:
        named = ", ".join(str(folder) for folder in folders)
        raise RunError(f"{named} holds no run; name a folder that `fggm-lab run` wrote")
    return runs


def compare(
    folders: Annotated[list[Path], typer.Argument(help="Run folders, or folders of runs.")],
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    csv: Annotated[Path | None, typer.Option(help="Also write the rows here as CSV.")] = None,
    json_file: Annotated[Path | None, typer.Option(help="Also write the rows as JSON.")] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="Set them beside the published numbers of TRACE."),
    ] = False,
) -> None:
    """Compare runs over the same tasks; runs that differ in the seed alone are averaged.

    Runs over several task orders are compared order by order, and averaged over orders in what
    allows that: General, OP, BWT, forgetting and learning accuracy.

    Example: `fggm-lab compare runs/demo --csv comparison.csv`
    """
    from fggm_lab.files import write_text
    from fggm_lab.runs import comparison
    from fggm_lab.tables import to_csv, to_json

    runs = _runs_in(folders)
    if published:
        _beside_published(runs, json_, csv, json_file)
        return
    several = len({tuple(run.config.task_names) for run in runs}) > 1
    groupings = rows_and_means(runs) if several else None
    rows = comparison(runs) if groupings is None else groupings["runs"]
    if csv is not None:
        write_text(csv, to_csv(rows))
    if json_file is not None:
        write_text(json_file, to_json(rows))
    if json_:
        tell(to_json(rows))
        return
    if groupings is not None:
        print_gathered(groupings)
        return
    print_comparison(runs)


def _beside_published(
    runs: list[Any], as_json: bool, csv: Path | None, json_file: Path | None
) -> None:
    """The table of `compare --published`."""
    from fggm_lab.files import write_text
    from fggm_lab.runs import beside_published
    from fggm_lab.tables import published_table, to_csv, to_json

    rows = beside_published(runs)
    if csv is not None:
        keys = dict.fromkeys(key for row in rows for key in row["numbers"])
        flat = [row | {part: keys | row[part] for part in ("numbers", "sd")} for row in rows]
        write_text(csv, to_csv(flat))
    if json_file is not None:
        write_text(json_file, to_json(rows))
    if as_json:
        tell(to_json(rows))
    else:
        console.print(published_table(rows))


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
    as_json: Annotated[
        bool, typer.Option("--json", help="The installation as JSON, for a report of a bug.")
    ] = False,
) -> None:
    """Show versions, device, methods and shipped data; or what a run is and how far it got.

    Example: `fggm-lab info runs/demo/fggm`
    """
    if as_json:
        _print_environment(path)
        return
    if path is not None:
        _describe_run(path)
        return
    import torch

    from fggm_lab.fisher import ESTIMATORS
    from fggm_lab.methods import METHODS, installed_methods
    from fggm_lab.runs import versions
    from fggm_lab.tasks import SEQUENCES, load_tasks
    from fggm_lab.training.presets import PRESETS

    table = Table(show_header=False)
    for package, number in versions().items():
        table.add_row(package, number)
    table.add_row("device", "cuda" if torch.cuda.is_available() else "cpu")
    for name in SEQUENCES:
        table.add_row(name, ", ".join(load_tasks(name).names))
    for estimator in ESTIMATORS.values():
        table.add_row(f"estimator {estimator.name}", estimator.description)
    for name, method in (METHODS | installed_methods()).items():
        if isinstance(method, SettingError):
            table.add_row(f"method {name}", f"cannot be used: {method}")
            continue
        summary = (method.__doc__ or "").strip().partition("\n")[0]
        table.add_row(f"method {name}", f"{summary} ({method.paper})")
    for name, preset in PRESETS.items():
        table.add_row(f"preset {name}", preset.about)
    table.add_row("several methods", "joined by a plus: replay+fggm, lora+fggm, replay+lora+migu")
    console.print(table)


def _print_environment(path: Path | None) -> None:
    """The JSON of `info --json`, which describes no run."""
    from fggm_lab.cli.environment import environment

    if path is not None:
        raise SettingError(
            "--json describes the installation, not a run; a run's own files are JSON, "
            f"see {path / 'config.json'}"
        )
    tell(json.dumps(environment(), indent=2))


def _describe_run(path: Path) -> None:
    from fggm_lab.runs import NUMBERS, Run

    run = Run.open(path)
    done = len(run.events("task"))
    table = Table(title=str(path), show_header=False)
    table.add_row("state", f"{done} of {len(run.config.task_names)} tasks done")
    for name, value in run.config.settings().items():
        table.add_row(name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
    for name in ("preset", "processor", "threads", "attention"):
        if (value := getattr(run.config, name)) is not None:
            table.add_row(name, str(value))
    for name, value in run.metrics().items():
        table.add_row(name, NUMBERS[name].text(value))
    console.print(table)
