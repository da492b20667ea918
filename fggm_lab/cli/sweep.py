"""`fggm-lab sweep`: methods × seeds × orders × varied settings, and what they came to."""

import json
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from fggm_lab.cli.console import console
from fggm_lab.cli.interrupt import go_on, stoppable
from fggm_lab.cli.methods import make_methods, method_names, method_settings
from fggm_lab.cli.options import (
    METHODS,
    RUN_FOLDER,
    options_of,
    read_setting,
    settings_from,
    shown_settings,
)
from fggm_lab.cli.out import not_inside_a_run
from fggm_lab.cli.results import print_gathered, print_paired, rows_and_means
from fggm_lab.cli.train import train
from fggm_lab.errors import LabError, SettingError, nearest
from fggm_lab.plugins import split_setting
from fggm_lab.runs.sweep import Cell, Variation, asked_before, is_finished, plan, remember
from fggm_lab.settings import TrainingSettings

PER_CELL = ("out", "quiet", "seed", "methods", "order", "resume", "from_", "task", "jobs")
"""What a sweep sets itself for every run."""
COMBINATIONS, RESULTS = "Combinations", "Results"
"""Headings under which the help lists a sweep's own options."""
BESIDE = ("dtype",)
"""Options that can be varied beside the training settings."""


def _seeds(text: str) -> list[int]:
    """`1,2,3` or `1-3`."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise SettingError(f"--seeds {text}: write whole numbers, such as 1,2,3 or 1-5")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def _variable() -> list[str]:
    """The options of training that can be varied."""
    shown = shown_settings().items()
    return [*(name for name, (_, _, option) in shown if option.sweep), *BESIDE]


def _check(variation: Variation) -> None:
    """Raise a `SettingError` unless a varied option of training exists and takes its values."""
    variable = _variable()
    if variation.method is not None:
        return
    if variation.key == "keep":
        raise SettingError("--vary keep: name the method, such as fggm.keep=0.1,0.3")
    if variation.key not in variable:
        raise SettingError(
            f"--vary {variation.key}: no such setting of training can be varied"
            f"{nearest(variation.key, variable)}; there are: {', '.join(variable)}"
        )
    for value in variation.values:
        _value(variation.key, value)


def _value(name: str, text: str) -> Any:
    """A varied option's value as `train` takes it."""
    if name in BESIDE:
        return text
    field_name, _, _ = shown_settings()[name]
    return read_setting(TrainingSettings, field_name, text, f"--vary {name}={text}")


def _same(options_now: dict[str, Any], before: dict[str, Any] | None) -> bool:
    """Whether two records of a cell's options are of the same run.

    Versions differ in how a record spells a training setting, and in which settings there are.

    Args:
        options_now: the options now.
        before: the options when the cell was trained; None if it was not.

    Returns:
        Whether training again would repeat the run.
    """
    if before is None:
        return False
    settings = shown_settings()
    names = {*settings, *(option.formerly for _, _, option in settings.values())}
    now, then = (
        {n: v for n, v in options.items() if n not in names} for options in (options_now, before)
    )
    return now == then and settings_from(options_now) == settings_from(before)


def _pairs(cell: Cell, pairs: Sequence[str]) -> list[str]:
    """The `--set` of one cell: those of its method, then those that are varied."""
    of_method = [
        pair
        for pair in pairs
        if (split := split_setting(pair.partition("=")[0])) and split[0] == cell.method
    ]
    return [*of_method, *(f"{cell.method}.{key}={value}" for key, value in cell.settings.items())]


class _Cells:
    """The cells of one sweep, trained one after the other."""

    def __init__(self, out: Path, options: dict[str, Any]) -> None:
        self.out, self.options = out, options
        self.failures: dict[str, str] = {}
        self._orders_described: set[str | None] = set()

    def options_of_cell(self, cell: Cell) -> dict[str, Any]:
        """What `train` is to do for a cell, as JSON has it."""
        options = self.options | {key: _value(key, value) for key, value in cell.options.items()}
        options["set_"] = _pairs(cell, options.get("set_") or [])
        options |= {"methods": cell.method, "seed": cell.seed, "order": cell.order}
        return {name: str(v) if isinstance(v, Path) else v for name, v in options.items()}

    def folder_name(self, cell: Cell) -> str:
        """A cell's name: its run folder, relative to the sweep's."""
        from fggm_lab.methods import make_method

        pairs = _pairs(cell, self.options.get("set_") or [])
        settings = method_settings([cell.method], self.options.get("keep"), pairs)
        return str(cell.folder / make_method(cell.method, **settings[cell.method]).name)

    def is_done(self, cell: Cell, before: dict[str, Any]) -> bool:
        """Whether its run is finished and was asked to be what it is asked to be now."""
        name = self.folder_name(cell)
        options_now = json.loads(json.dumps(self.options_of_cell(cell)))
        return _same(options_now, before.get(name)) and is_finished(self.out / name)

    def train(self, cell: Cell) -> None:
        """Train a cell, or go on with it; whatever goes wrong is kept, and the sweep goes on."""
        quiet, name = cell.order in self._orders_described, self.folder_name(cell)
        self._orders_described.add(cell.order)
        try:
            train(
                out=self.out / cell.folder, resume=True, quiet=quiet, **self.options_of_cell(cell)
            )
        except LabError as problem:
            self.failures[name] = str(problem)
        except Exception as problem:
            traceback.print_exc()
            self.failures[name] = f"{type(problem).__name__}: {problem}"
        if name in self.failures:
            console.print(f"[red]failed[/] {name}: {self.failures[name]}", highlight=False)

    def print_failures(self) -> None:
        """Print every failure once, with the cells that failed with it."""
        for sentence in dict.fromkeys(self.failures.values()):
            names = [name for name, reason in self.failures.items() if reason == sentence]
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if names[5:] else "")
            typer.echo(f"failed: {shown}: {sentence}", err=True)


@options_of(train, without=PER_CELL)
def sweep(
    out: Annotated[
        Path,
        typer.Option(
            callback=not_inside_a_run,
            help="Folder of the sweep: `ORDER/seed-N/[VARIED/]METHOD`.",
            rich_help_panel=RUN_FOLDER,
        ),
    ],
    methods: Annotated[
        str,
        typer.Option(help="Comma-separated; `fggm-lab info` lists them.", rich_help_panel=METHODS),
    ] = "sft,migu,fggm,random",
    seeds: Annotated[
        str, typer.Option(help="Such as `1,2,3` or `1-5`.", rich_help_panel=COMBINATIONS)
    ] = "1-5",
    order: Annotated[
        list[str] | None,
        typer.Option(
            help="A task order as `fggm-lab run --order` takes it, or `default`; repeatable.",
            rich_help_panel=COMBINATIONS,
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="A setting and its values: `lr=1e-4,5e-4`, or of one method "
            "`fggm.keep=0.1,0.3`; repeatable, every combination is trained.",
            rich_help_panel=COMBINATIONS,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="The row of the table to subtract. [default: the first method]",
            rich_help_panel=RESULTS,
        ),
    ] = None,
    keep_checkpoints: Annotated[
        bool,
        typer.Option(
            help="Keep the model after every task, not only the last.", rich_help_panel=RUN_FOLDER
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="List the runs and which are finished; train none.",
            rich_help_panel=COMBINATIONS,
        ),
    ] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of tables.", rich_help_panel=RESULTS)
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(help="Also write a row per run here as CSV.", rich_help_panel=RESULTS),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(help="Also write everything here as JSON.", rich_help_panel=RESULTS),
    ] = None,
    **options: Any,
) -> None:
    """Train every combination of methods, seeds, orders and varied settings, and compare.

    The same command goes on where it was stopped; finished runs are skipped. A run that fails is
    told at the end, with exit status 1, and the others are trained all the same.

    Example: `fggm-lab sweep --methods sft,fggm --seeds 1-5 --vary lr=5e-4,1e-3 --out runs/sweep`
    """
    from fggm_lab.files import write_text
    from fggm_lab.runs import Run
    from fggm_lab.tables import to_csv

    names = method_names(methods)
    varied = [Variation.parse(text) for text in vary or []]
    for variation in varied:
        _check(variation)
    orders = [None if name == "default" else name for name in order or ["default"]]
    settings = method_settings(names, options.get("keep"), options.get("set_") or [])
    own_names = {name: method.name for name, method in make_methods(names, settings).items()}
    cells = plan(names, _seeds(seeds), orders, varied)
    work = _Cells(out, options | {"keep_checkpoints": keep_checkpoints})
    cells_by_name = {work.folder_name(cell): cell for cell in cells}
    before = asked_before(out)
    done = {name for name, cell in cells_by_name.items() if work.is_done(cell, before)}
    if dry_run:
        for name in cells_by_name:
            typer.echo(f"{'finished' if name in done else 'to train'}  {out / name}")
        return
    console.stderr = json_
    try:
        with stoppable(go_on(resumes=True)):
            if done:
                console.print(f"{len(done)} of {len(cells)} runs are finished", highlight=False)
            options_by_name = {n: work.options_of_cell(cell) for n, cell in cells_by_name.items()}
            remember(out, options_by_name)
            for number, (name, cell) in enumerate(cells_by_name.items(), 1):
                if name not in done:
                    console.print(f"run {number} of {len(cells)}: {name}", highlight=False)
                    work.train(cell)
    finally:
        console.stderr = False
    work.print_failures()
    runs = [Run.open(out / name) for name in cells_by_name if name not in work.failures]
    record: dict[str, Any] = rows_and_means(runs) if runs else {}
    record |= _paired(runs, own_names.get(baseline or "", baseline), own_names[names[0]]) | {
        "failures": work.failures
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if csv is not None and runs:
        write_text(csv, to_csv(record["runs"]))
    if json_file is not None:
        write_text(json_file, text)
    if json_:
        typer.echo(text, nl=False)
    elif runs:
        print_gathered(record)
        if record["paired"]:
            print_paired(record["paired"], record["baseline"])
        elif record["not_paired"]:
            console.print(f"no paired differences: {record['not_paired']}", highlight=False)
    if work.failures:
        _exit(1)


def _exit(status: int) -> NoReturn:
    """End the command with a status."""
    raise typer.Exit(status) from None


def _paired(runs: list[Any], baseline: str | None, first: str) -> dict[str, Any]:
    """Paired differences from a baseline, or why there are none."""
    from fggm_lab.runs.paired import paired

    chosen = baseline or first
    none: dict[str, Any] = {"baseline": chosen, "paired": []}
    if len({run.config.method for run in runs}) < 2 and baseline is None:
        return none | {"not_paired": None}
    try:
        return {"baseline": chosen, "paired": paired(runs, chosen), "not_paired": None}
    except LabError as problem:
        return none | {"not_paired": str(problem)}
