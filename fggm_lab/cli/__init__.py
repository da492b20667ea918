"""The command line: look, demo, lab, run, sweep, compare, report, figure, info, check, …"""

import sys
import traceback
import warnings
from typing import Annotated

import typer

from fggm_lab.cli.check import check
from fggm_lab.cli.code import code
from fggm_lab.cli.console import tell
from fggm_lab.cli.course import demo, lab, real
from fggm_lab.cli.estimate import estimate
from fggm_lab.cli.exercises import grade, progress
from fggm_lab.cli.figure import figure
from fggm_lab.cli.forgotten import forgotten
from fggm_lab.cli.general import general
from fggm_lab.cli.inputs import audit, fisher
from fggm_lab.cli.levels import levels
from fggm_lab.cli.look import look, watch
from fggm_lab.cli.presets import PresetCommand
from fggm_lab.cli.ranks import check_command, end_with, quiet_unless_main
from fggm_lab.cli.results import compare, info, report
from fggm_lab.cli.streams import Stream, lost_sentence
from fggm_lab.cli.sweep import sweep
from fggm_lab.cli.tasks import tasks
from fggm_lab.cli.train import run
from fggm_lab.cli.verify import verify
from fggm_lab.errors import LabError
from fggm_lab.escaping import visible
from fggm_lab.extras import check_versions
from fggm_lab.project import NAME, version

app = typer.Typer(
    help="See why a language model forgets, and make it forget less (FGGM, arXiv 2601.18261).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"{NAME} {version()}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options that stand before a command's name."""
    check_command(context.invoked_subcommand)


for command in (
    look, demo, real, lab, run, watch, sweep, compare, report, figure, forgotten, info, verify,
    check, estimate, general, code, fisher, levels, tasks, audit, progress, grade,
):  # fmt: skip
    app.command(cls=PresetCommand)(command)


def _format_warning(message: Warning | str, *rest: object, **more: object) -> str:
    """A warning as one line, without the place in the code, which is not the user's."""
    return f"warning: {visible(str(message))}\n"


def main() -> None:
    """Entry point: a user's mistake is one sentence on standard error and exit status 2."""
    warnings.formatwarning = _format_warning
    if sys.stdout is not None and sys.stderr is not None:  # closed, as `>&-` does
        sys.stdout, sys.stderr = Stream(sys.stdout), Stream(sys.stderr)
    quiet_unless_main()
    try:
        check_versions()
        app()
    except LabError as error:
        end_with(error)
    except SystemExit as end:
        if isinstance(sys.stdout, Stream):
            sys.stdout.flush()
        sentence = lost_sentence(sys.stdout)
        if sentence is not None and end.code in (0, None):
            tell(f"error: {sentence}", err=True)
            sys.exit(1)
        raise
    except Exception as error:  # a fault of the lab's or of a plugin's: its message may hold data
        tell("".join(traceback.format_exception(error)), err=True)
        sys.exit(1)
    except KeyboardInterrupt:  # before a command began; typer ends those that did with 130
        sys.exit(130)
