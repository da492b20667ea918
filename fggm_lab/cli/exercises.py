"""`fggm-lab progress` and `fggm-lab grade`: which exercises of the course are right."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fggm_lab.cli.console import console, tell
from fggm_lab.errors import DataError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
CsvFile = Annotated[Path | None, typer.Option(help="Also write a row for each exercise as CSV.")]
JsonFile = Annotated[Path | None, typer.Option(help="Also write the rows as JSON.")]


def progress(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Copies of the course, or a folder with one for each student in it; by default "
            "the one you are in, else `fggm-course`."
        ),
    ] = None,
    json_: AsJson = False,
    csv: CsvFile = None,
    json_file: JsonFile = None,
) -> None:
    """Show which exercises of the course were solved, with how many tries and hints.

    Checks record it in a copy of the course, in the file `fggm-progress.json`.

    Example: `fggm-lab progress class --csv class.csv`
    """
    from fggm_lab.course import course_progress
    from fggm_lab.course.folder import DEFAULT_FOLDER, copy_around

    chosen = folders or [copy_around(Path.cwd()) or DEFAULT_FOLDER]
    _show(course_progress(*chosen), json_, csv, json_file)


def grade(
    paths: Annotated[
        list[Path], typer.Argument(help="Students' notebooks, or a folder with them in it.")
    ],
    run: Annotated[
        bool,
        typer.Option(
            "--run",
            help="Run the notebooks' code on this machine, instead of reading what is stored.",
        ),
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=1, help="How long one notebook may run, with --run.")
    ] = 600,
    json_: AsJson = False,
    csv: CsvFile = None,
    json_file: JsonFile = None,
) -> None:
    """Show which exercises are right in notebooks that students handed in.

    Reads the checks' stored sentences, which anyone can edit. `--run` runs each notebook in a
    process of its own, with a time limit and all that the user may do: run only what you trust.

    Example: `fggm-lab grade handed-in --run --csv grades.csv`

    Raises:
        DataError: a notebook could not be graded, or not run to its end; the others are shown.
    """
    from fggm_lab.course.grading import Handed, grade, notebooks_in

    def announce(notebook: Handed) -> None:
        tell(f"running {notebook.path}, at most {seconds:g} s", err=True)

    if run:
        count = len(notebooks_in(paths))
        tell(
            f"the code in {count} notebook{'s' if count != 1 else ''} is run on this machine, as "
            "you would run it",
            err=True,
        )
    grades = grade(paths, run=run, seconds=seconds, **({"starting": announce} if run else {}))
    if grades.results:
        _show(grades.results, json_, csv, json_file)
    if not run and not json_:
        console.print("as stored in the notebooks; --run runs their code", highlight=False)
    if grades.problems:
        raise DataError("; ".join(grades.problems))


def _show(results: Any, as_json: bool, csv: Path | None, json_file: Path | None) -> None:
    """Print the results of students, and write the files that were asked for."""
    from fggm_lab.files import write_text
    from fggm_lab.tables import to_csv, to_json

    rows = results.rows()
    if csv is not None:
        write_text(csv, to_csv(rows))
    if json_file is not None:
        write_text(json_file, to_json(rows))
    if as_json:
        tell(to_json(rows))
        return
    table = Table(title="right exercises", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("student", overflow="fold")
    for notebook in (*results.notebooks, "all"):
        table.add_column(notebook, justify="right", no_wrap=True)
    for row in results.by_notebook():
        table.add_row(*row)
    console.print(table)
    console.print(results.words(), highlight=False)
