"""`fggm-lab tasks`: known sources of tasks, and how to get them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fggm_lab.cli.console import console


def tasks(
    source: Annotated[
        str | None, typer.Argument(help="The source to get. [default: list them]")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that gets a folder for each task.")] = Path(
        "tasks"
    ),
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="Where the source's files are. [default: download them]"),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Of a collection, tasks by name, comma-separated.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(help="At most so many examples of each split, drawn by a seed.")
    ] = None,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the source's licence.")
    ] = False,
) -> None:
    """List known sources of tasks with licence and size, or get one of them.

    Example: `fggm-lab tasks gsm8k --limit 500 --out mine`, then `fggm-lab run --tasks mine`
    """
    from fggm_lab.tasks.sources import fetch_tasks

    if source is None:
        console.print(_table())
        return
    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    folders = fetch_tasks(
        source, out, folder=from_, only=names, limit=limit, accept_licence=accept_licence
    )
    for folder in folders:
        console.print(str(folder), soft_wrap=True, highlight=False)


def _table() -> Table:
    """What ships, and what can be got, a row each."""
    from fggm_lab.tasks import SEQUENCES, load_tasks
    from fggm_lab.tasks.sources import SOURCES

    table = Table(box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for heading in ("name", "what", "licence", "MB", "from"):
        table.add_column(heading, overflow="fold")
    for name in SEQUENCES:
        licence = "CC BY 3.0, MIT" if name == "real-mini" else "MIT"
        table.add_row(name, ", ".join(load_tasks(name).names), licence, "", "ships: --tasks")
    for source in SOURCES.values():
        where = source.page.removeprefix("https://")
        table.add_row(source.name, source.about, source.licence, f"{source.size_mb:g}", where)
    return table
