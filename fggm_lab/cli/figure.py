"""`fggm-lab figure`: one figure of some runs, in a file."""

from pathlib import Path
from typing import Annotated

import typer

from fggm_lab.cli.console import console
from fggm_lab.errors import SettingError


def figure(
    name: Annotated[
        str,
        typer.Argument(
            help="A figure of runs, such as forgetting_curves; your own as module:name."
        ),
    ],
    folders: Annotated[list[Path], typer.Argument(help="Run folders, or folders of runs.")],
    out: Annotated[
        Path, typer.Option(help="The file to write: .html, .svg, .png, or .csv for its data.")
    ] = Path("figure.html"),
) -> None:
    """Draw one figure of runs into a file, and say it in words.

    Example: `fggm-lab figure forgetting_curves runs/demo --out forgetting.html`
    """
    from fggm_lab.plots import describe, draw, export
    from fggm_lab.runs import as_runs

    _check_of_runs(name)
    drawn = draw(name, as_runs(folders))
    written = export(drawn, out)
    console.print(describe(drawn), soft_wrap=True, highlight=False, markup=False)
    console.print(f"figure: {written.resolve()}", soft_wrap=True, highlight=False, markup=False)


def _check_of_runs(name: str) -> None:
    """Refuse a figure that needs other records than runs."""
    from fggm_lab.plots import FIGURES, figure_kind

    if not figure_kind(name).of_runs:
        names = ", ".join(name for name, kind in FIGURES.items() if kind.of_runs)
        raise SettingError(
            f"{name} is not drawn from runs alone; from the command line there are: {names}, and "
            "your own as module:name"
        )
