"""`python -m benchmarks`: measure, print tables, write JSON."""

import warnings
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from benchmarks import (
    check,
    demo,
    estimates,
    explorers,
    fisher,
    growth,
    live,
    masks,
    page,
    peers,
    real,
    reports,
    steps,
    traffic,
    trainer,
    training,
)
from benchmarks.harness import Case, Report, Settings, Size, environment
from benchmarks.table import show, show_targets
from fggm_lab.files import write_json
from fggm_lab.heap import keep_freed_memory

CASES: dict[str, Case] = {
    "fisher": fisher.run,
    "training": training.run,
    "trainer": trainer.run,
    "traffic": traffic.run,
    "steps": steps.run,
    "masks": masks.run,
    "peers": peers.run,
    "growth": growth.run,
    "check": check.run,
    "estimates": estimates.run,
    "explorers": explorers.run,
    "live": live.run,
    "demo": demo.run,
    "page": page.run,
    "real": real.run,
    "reports": reports.run,
}


app = typer.Typer(add_completion=False)


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="Within three minutes.")] = False,
    tiny: Annotated[bool, typer.Option("--tiny", help="Only to see that all runs.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(CASES)}; repeatable.")
    ] = None,
    device: Annotated[str, typer.Option(help="`cpu` or `cuda`.")] = "cpu",
    threads: Annotated[int, typer.Option(help="Of torch, on the CPU.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="How often each call is timed.")] = 5,
    patience: Annotated[
        float, typer.Option(help="Seconds for which short calls go on being timed.")
    ] = 6.0,
    out: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Ratios measured side by side in one run: this lab against plain training and its peers."""
    unknown = set(only or ()) - CASES.keys()
    if unknown:
        raise typer.BadParameter(
            f"no case is named '{min(unknown)}'; there are: {', '.join(CASES)}"
        )
    if device == "cuda" and not torch.cuda.is_available():
        raise typer.BadParameter("there is no CUDA device; leave --device out")
    size: Size = "tiny" if tiny else "quick" if quick else "full"
    settings = Settings(torch.device(device), size, rounds, patience, threads)
    torch.set_num_threads(threads)
    keep_freed_memory()  # for every side alike
    console = Console()
    if not console.is_terminal:
        console.width = 140  # tables wrap in files and logs otherwise
    where = environment(settings)
    reports: dict[str, Report] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for name in only or CASES:
            reports[name] = CASES[name](settings)
            show(reports[name], console)
    show_targets(reports, console)
    if out is not None:
        cases = {name: report.record() for name, report in reports.items()}
        write_json(out, {"environment": where, "cases": cases})
        console.print(f"wrote {out}", highlight=False)


if __name__ == "__main__":
    app()
