"""`fggm-lab levels`: the losses that a run reached, to train other methods to them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fggm_lab.cli.console import tell


def levels(
    run: Annotated[Path, typer.Argument(help="The folder of one run, of plain fine-tuning.")],
    examples: Annotated[
        str,
        typer.Option(help="Examples of a task's eval split, as `--until-examples`; `none`: all."),
    ] = "64",
    factor: Annotated[
        float, typer.Option(help="Multiplies each level; above 1 it is easier to reach.")
    ] = 1.0,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print each task's held-out loss right after a run learned it, as `--until-loss` takes them.

    Example: `fggm-lab run --methods fggm --until-loss "$(fggm-lab levels runs/plain/sft)"`
    """
    from fggm_lab.cli.options import read_setting
    from fggm_lab.evaluation.held_out import until_levels
    from fggm_lab.runs import one_run
    from fggm_lab.settings import TrainingSettings

    count = read_setting(TrainingSettings, "until_examples", examples, f"--examples {examples}")
    losses = until_levels(one_run(run), examples=count, factor=factor)
    if json_:
        tell(json.dumps(losses, indent=1))
    else:
        tell(",".join(f"{task}={loss:.4g}" for task, loss in losses.items()))
