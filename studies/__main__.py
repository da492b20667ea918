"""Trains what `docs/results.md` is made of, and writes its tables: `make results`.

python -m studies train STUDY …   # trains, and keeps a row per run in studies/rows/
python -m studies page            # writes the tables of docs/results.md from these rows
python -m studies picture         # draws docs/rates.png from them

A study that was stopped goes on; its finished runs are not repeated. One thread a process and as
many studies at once as there are cores is fastest: the models are small.
"""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from studies.catalog import STUDIES, Sweep, tried
from studies.page import write_page
from studies.picture import draw
from studies.rows import store_rows, stored_rows
from studies.tuning import choose, first_round

OUT = Path("runs/results")
TUNING = "tuning"
app = typer.Typer(add_completion=False, no_args_is_help=True)


def command(sweep: Sweep, study: str) -> list[str]:
    """The call of `fggm-lab` that trains a sweep."""
    methods = ("--methods", ",".join(sweep.methods))
    return ["sweep", *methods, *sweep.options, "--out", str(OUT / study)]


def trained(study: str, sweeps: list[Sweep]) -> None:
    """Train sweeps and keep their rows; stop at the first that fails."""
    commands = [command(sweep, study) for sweep in sweeps]
    for call in commands:
        subprocess.run([sys.executable, "-m", "fggm_lab.cli", *call], check=True)
    store_rows(study, OUT / study, [shlex.join(["fggm-lab", *call]) for call in commands])


@app.command()
def train(
    studies: Annotated[list[str], typer.Argument(help=f"Among: {TUNING}, {', '.join(STUDIES)}.")],
) -> None:
    """Train studies, one after the other; all but the tuning need what the tuning chose."""
    for study in studies:
        if study == TUNING:
            trained(TUNING, tried({}))
            trained(TUNING, tried(choose(first_round(stored_rows(TUNING)["rows"]))))
        elif study in STUDIES:
            trained(study, STUDIES[study](choose(stored_rows(TUNING)["rows"])))
        else:
            raise typer.BadParameter(
                f"no study is named '{study}'; there are: {TUNING}, {', '.join(STUDIES)}"
            )


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
