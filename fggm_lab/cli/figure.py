"""`fggm-lab figure`: one figure of some runs, in a file."""

import json
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import typer

from fggm_lab.cli.console import console
from fggm_lab.errors import SettingError, nearest


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
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="A setting of the figure, NAME=VALUE, such as scalar=norm; repeatable."
        ),
    ] = None,
) -> None:
    """Draw one figure of runs into a file, and say it in words.

    Example: `fggm-lab figure log_curves runs/demo --set scalar=norm --set log=true`
    """
    from fggm_lab.plots import describe, draw, export
    from fggm_lab.runs import as_runs

    _check_of_runs(name)
    drawn = draw(name, as_runs(folders), **_settings(name, set_ or []))
    written = export(drawn, out)
    console.print(describe(drawn), soft_wrap=True, highlight=False)
    console.print(f"figure: {written.resolve()}", soft_wrap=True, highlight=False)


def _settings(name: str, texts: list[str]) -> dict[str, Any]:
    """The settings of a figure from `NAME=VALUE`; a value is JSON, or else a text."""
    from fggm_lab.plots import figure_kind

    _, *parameters = signature(figure_kind(name).draw).parameters
    settings: dict[str, Any] = {}
    for text in texts:
        setting, equals, value = text.partition("=")
        if not equals or setting not in parameters:
            raise SettingError(
                f"--set {text} sets nothing of {name}; write NAME=VALUE with one of: "
                f"{', '.join(parameters) or '(it has no settings)'}{nearest(setting, parameters)}"
            )
        try:
            settings[setting] = json.loads(value)
        except ValueError:  # no JSON, or a number of more digits than Python reads
            settings[setting] = value
    return settings


def _check_of_runs(name: str) -> None:
    """Refuse a figure that needs other records than runs."""
    from fggm_lab.plots import FIGURES, figure_kind

    if not figure_kind(name).of_runs:
        names = ", ".join(name for name, kind in FIGURES.items() if kind.of_runs)
        raise SettingError(
            f"{name} is not drawn from runs alone; from the command line there are: {names}, and "
            "your own as module:name"
        )
