"""Trains what `docs/results.md` is made of, and writes its tables: `make results`.

python -m studies plan            # lists the pieces: runs planned, rows there, time used, to go
python -m studies train [STUDY …] # trains, and keeps a row per run in studies/rows/
python -m studies tidy            # drops rows of runs that are planned no more
python -m studies page            # writes the tables of docs/results.md from the rows
python -m studies picture         # draws the pictures of docs/results.md from them

A study that was stopped goes on; its finished runs are not repeated. One thread a process and as
many processes as there are cores (`--jobs`) is fastest: the models are small.
"""

from typing import Annotated

import typer

from studies import catalog
from studies.page import write_page
from studies.picture import draw
from studies.rows import keep_only
from studies.training import Piece, piece
from studies.training import train as train_studies

app = typer.Typer(add_completion=False, no_args_is_help=True)
Names = Annotated[
    list[str] | None,
    typer.Argument(help=f"All by default. There are: {', '.join(catalog.STUDIES)}."),
]


def checked_names(studies: list[str] | None) -> list[str]:
    """The names of studies, all if none is named; a usage error if there is no such study."""
    for study in studies or []:
        if study not in catalog.STUDIES:
            raise typer.BadParameter(
                f"no study is named '{study}'; there are: {', '.join(catalog.STUDIES)}"
            )
    return studies or list(catalog.STUDIES)


@app.command()
def train(
    studies: Names = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at the same time.")] = 1,
    methods: Annotated[str, typer.Option(help="Only these, comma-separated.")] = "",
) -> None:
    """Train studies, one after the other; those after a tuning need what it chose."""
    train_studies(checked_names(studies), jobs, [name for name in methods.split(",") if name])


@app.command()
def plan(
    studies: Names = None,
    commands: Annotated[
        bool, typer.Option("--commands", help="Print the command of every run without a row.")
    ] = False,
) -> None:
    """List the pieces: runs planned, rows there, hours of one process used and to go."""
    pieces = [piece(study) for study in checked_names(studies)]
    typer.echo(f"{'study':<18}{'planned':>8}{'rows':>6}{'failed':>8}{'hours':>8}{'to go':>8}")
    for state in pieces:
        typer.echo(_line(state))
        for run, sentence in state.failures.items():
            typer.echo(f"  failed: {run.command(state.study)}: {sentence}")
        if state.waiting:
            typer.echo(f"  more to come: {', '.join(state.waiting)}")
        if state.unplanned:
            typer.echo(f"  {state.unplanned} rows of runs that are planned no more (tidy)")
        for run in state.missing if commands else []:
            typer.echo(f"  {run.command(state.study)}")


def _line(state: Piece) -> str:
    to_go = "?" if state.seconds_to_go is None else f"{state.seconds_to_go / 3600:.2f}"
    return (
        f"{state.study:<18}{state.planned:>8}{state.rows:>6}{len(state.failures):>8}"
        f"{state.seconds / 3600:>8.2f}{to_go:>8}"
    )


@app.command()
def tidy(
    studies: Names = None,
) -> None:
    """Drop the rows of runs that are planned no more."""
    for study in checked_names(studies):
        if dropped := keep_only(study, catalog.plan(study).runs):
            typer.echo(f"{study}: {dropped} rows dropped")


@app.command()
def page() -> None:
    """Write the tables of docs/results.md."""
    write_page()


@app.command()
def picture() -> None:
    """Draw the picture of docs/results.md."""
    draw()


if __name__ == "__main__":
    app()
