"""`fggm-lab demo` and `fggm-lab lab`: what a newcomer types first."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fggm_lab.cli.console import console
from fggm_lab.cli.options import options_of
from fggm_lab.cli.results import print_comparison, report
from fggm_lab.cli.train import train
from fggm_lab.extras import require


@options_of(train, without=("quiet",))
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder that gets the run folders and `report.html`.")
    ] = Path("runs", "demo"),
    **options: Any,
) -> None:
    """Train the shipped model under four methods, compare them, and write the report.

    Takes ten minutes or so on two CPU cores; the options are those of `fggm-lab run`.

    Example: `fggm-lab demo --limit 40 --epochs 1`
    """
    require("the demo", "plotly", "rapidfuzz", "rouge_score")
    runs = train(out=out, **options)
    print_comparison(runs)
    report([run.path for run in runs], out / "report.html")


def lab(
    folder: Annotated[
        Path, typer.Argument(help="A folder of your own for the notebooks; made if missing.")
    ] = Path("fggm-course"),
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Open JupyterLab, or only copy the course.")
    ] = True,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Write every notebook anew, over edited ones, also among other files.",
        ),
    ] = False,
) -> None:
    """Open JupyterLab on a copy of the course; notebooks that are there stay as they are.

    Example: `fggm-lab lab my-course`
    """
    from fggm_lab.course.folder import FIRST_NOTEBOOK, copy_course

    if open_:
        require("the course", "jupyterlab", "anywidget", "ipywidgets", "plotly", "captum")
    copy = copy_course(folder, force=force)
    unchanged = f", {len(copy.unchanged)} stay as they are" if copy.unchanged else ""
    console.print(
        f"course: {copy.folder.resolve()} ({len(copy.written)} files written{unchanged})",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    if open_:
        from jupyterlab.labapp import LabApp

        notebook = (copy.folder / FIRST_NOTEBOOK).resolve()
        LabApp.launch_instance([str(notebook), f"--ServerApp.root_dir={notebook.parent}"])
