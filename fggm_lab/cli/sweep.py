"""`fggm-lab sweep`: methods × seeds × orders × varied settings, and what they came to."""

import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from fggm_lab.checks import check_count
from fggm_lab.cli.cells import BESIDE, Cells, option_value
from fggm_lab.cli.cluster import FOLDER, MINUTES, make_executor, train_on_cluster
from fggm_lab.cli.console import console, tell
from fggm_lab.cli.environment import usable_cores
from fggm_lab.cli.interrupt import go_on, stoppable
from fggm_lab.cli.methods import make_methods, method_names, method_settings
from fggm_lab.cli.options import METHODS, RUN_FOLDER, options_of, shown_settings
from fggm_lab.cli.out import not_inside_a_run
from fggm_lab.cli.prepare import check_saving_and_logging, prepare
from fggm_lab.cli.results import print_gathered, print_paired, rows_and_means
from fggm_lab.cli.side_by_side import train_side_by_side
from fggm_lab.cli.train import train
from fggm_lab.cli.unchanged import check_unchanged
from fggm_lab.errors import LabError, RunInUse, SettingError, nearest, shortened
from fggm_lab.runs.sweep import DEFAULT_ORDER, Variation, plan, record_lock, remember
from fggm_lab.settings import RESOURCES

if TYPE_CHECKING:
    from submitit import AutoExecutor

PER_CELL = ("out", "quiet", "seed", "methods", "order", "resume", "from_", "task", "jobs")
"""What a sweep sets itself for every run."""
COMBINATIONS, CLUSTER, RESULTS = "Combinations", "Cluster", "Results"
"""Headings under which the help lists a sweep's own options."""
_MOST_SEEDS = 10_000
FAILED, ELSEWHERE = 1, 3
"""Exit statuses: a run failed; all others are trained, but another process is still at some."""


def _seeds(text: str) -> list[int]:
    """`1,2,3` or `1-3`."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise SettingError(
                f"--seeds {shortened(text)}: write whole numbers, such as 1,2,3 or 1-5"
            )
        low, high = int(first), int(last or first)
        if high < low:
            raise SettingError(
                f"--seeds {shortened(text)}: {part.strip()} runs backwards; write {high}-{low}"
            )
        if len(seeds) + high - low >= _MOST_SEEDS:
            raise SettingError(
                f"--seeds {shortened(text)}: these are more than {_MOST_SEEDS:,} seeds; write fewer"
            )
        seeds += range(low, high + 1)
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
        option_value(variation.key, value)


def _train_here(cells: Cells, names: Sequence[str]) -> None:
    """Train cells one after the other; whatever goes wrong is kept, and the sweep goes on."""
    orders: set[str | None] = set()
    for number, name in enumerate(names, 1):
        cell = cells.by_name[name]
        if cells.is_in_use(name):
            cells.ended(name, RunInUse())
            continue
        console.print(f"run {number} of {len(names)}: {name}", highlight=False)
        options = cells.options_of(name)
        try:
            train(out=cells.out / cell.folder, resume=True, quiet=cell.order in orders, **options)
            remember(cells.out, {name: options})
            cells.ended(name)
        except Exception as problem:
            cells.ended(name, problem)
        orders.add(cell.order)


def _first_of_orders(cells: Cells, names: Iterable[str]) -> list[str]:
    """The first cell of each order, for what is said once of the data."""
    first: dict[str | None, str] = {}
    for name in names:
        first.setdefault(cells.by_name[name].order, name)
    return list(first.values())


def _describe(cells: Cells, names: Sequence[str]) -> None:
    """Say once of each order what `fggm-lab run` says of its data; what is wrong its runs say."""
    for name in _first_of_orders(cells, names):
        with suppress(LabError):
            prepare(out=cells.out, resume=True, **cells.options_of(name))


def _train_side_by_side(cells: Cells, names: Sequence[str], jobs: int) -> None:
    """Train cells in so many processes, each with as many threads as this one would take."""
    import torch

    from fggm_lab.progress import MethodsProgress

    threads, cores = torch.get_num_threads(), usable_cores()
    if jobs * threads > cores:
        console.print(
            f"{jobs} jobs of {threads} threads each share {cores} cores; fewer threads "
            f"(OMP_NUM_THREADS={max(1, cores // jobs)}) are faster, and round in another way",
            highlight=False,
        )
    _describe(cells, names)
    with MethodsProgress(console, names).shown() as progress:

        def finish(name: str) -> None:
            progress.finish(name)
            cells.ended(name)

        def fail(name: str, problem: Exception) -> None:
            if isinstance(problem, LabError):
                cells.ended(name, problem)
                return
            tell(str(problem), err=True)  # the other process's traceback
            cells.ended(name, str(problem).strip().splitlines()[-1])

        cell_jobs = {name: cells.job(name) for name in names}
        train_side_by_side(cell_jobs, jobs, progress.tell, finish, fail, threads)


def _train_on_cluster(
    cells: Cells, names: Sequence[str], executor: "AutoExecutor", parallel: int | None
) -> None:
    """Train cells as jobs of a cluster; what they came to is read from the sweep's folder."""

    def ended(name: str, outcome: Exception | str) -> None:
        if not cells.unfinished([name]):
            console.print(f"finished {name}", highlight=False)
            cells.ended(name)
        else:
            cells.ended(name, RunInUse() if cells.is_in_use(name) else outcome)

    _describe(cells, names)
    cell_jobs = {name: cells.job(name) for name in names}
    train_on_cluster(executor, cell_jobs, parallel, ended)


def _train_all(cells: Cells, names: Sequence[str], train_some: "Callable[..., None]") -> None:
    """Train what is not finished; what other processes held is looked at again at the end."""
    while names:
        train_some(cells, names)
        again = [name for name in names if name in cells.elsewhere]
        unfinished = cells.unfinished(again)
        cells.elsewhere -= {*again} - {*unfinished}
        if len(unfinished) == len(names):
            return
        names = unfinished


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
            help="A task order as `fggm-lab run --order` takes it; repeatable.",
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
    jobs: Annotated[
        int,
        typer.Option(
            help="Runs trained at the same time on this machine, each in a process of its own.",
            rich_help_panel=RESOURCES,
        ),
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Train each run as a job of submitit: `slurm`, `local` (processes of this "
            "machine) or `debug`. [default: in this process]",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    parallel: Annotated[
        int | None,
        typer.Option(
            help="The most jobs at a time. [default: 1, on SLURM as many as it starts]",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            help="A parameter of SLURM jobs as submitit names it: `partition=gpu`, "
            f"`gpus_per_node=1`, `timeout_min=240` ({MINUTES} unless given; longer runs are "
            "queued again); repeatable.",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="List the runs, which are finished, and the command of each; train none.",
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

    The same command goes on where it was stopped; finished runs are skipped, and refused if model
    or data have changed since. A run that fails is told at the end, with exit status 1, and the
    others are trained all the same. Started on several machines over one shared folder, it trains
    each run once; exit status 3 says that all are trained but those that another process is still
    at.

    Example: `fggm-lab sweep --methods sft,fggm --seeds 1-5 --vary lr=5e-4,1e-3 --out runs/sweep`
    """
    from fggm_lab.files import write_text
    from fggm_lab.runs import Run
    from fggm_lab.tables import to_csv

    names = method_names(methods)
    varied = [Variation.parse(text) for text in vary or []]
    for variation in varied:
        _check(variation)
    orders = [None if name == DEFAULT_ORDER else name for name in order or [DEFAULT_ORDER]]
    settings = method_settings(names, options.get("keep"), options.get("set_") or [])
    check_saving_and_logging(options["checkpoint_every"], options["log_with"])
    own_names = {name: method.name for name, method in make_methods(names, settings).items()}
    planned = plan(names, _seeds(seeds), orders, varied)
    cells = Cells(out, options | {"keep_checkpoints": keep_checkpoints}, planned)
    unfinished = cells.unfinished(list(cells.by_name))
    if dry_run:
        for name in _first_of_orders(cells, cells.by_name):
            prepare(out=out, resume=True, quiet=True, **cells.options_of(name))
        _print_plan(cells, unfinished, json_)
        return
    train_some = _trainer(out, jobs, cluster, parallel, slurm or [])
    console.stderr = json_
    try:
        with stoppable(go_on(resumes=True)):
            if finished := [name for name in cells.by_name if name not in unfinished]:
                check_unchanged(cells, finished)
                console.print(
                    f"{len(finished)} of {len(planned)} runs are finished", highlight=False
                )
            with record_lock(out):  # where there are no locks this says so, before anything else
                pass
            _train_all(cells, unfinished, train_some)
    finally:
        console.stderr = False
    cells.print_failures()
    cells.print_elsewhere()
    left_out = cells.failures.keys() | cells.elsewhere
    runs = [Run.open(out / name) for name in cells.by_name if name not in left_out]
    record: dict[str, Any] = rows_and_means(runs) if runs else {}
    record |= _paired(runs, own_names.get(baseline or "", baseline), own_names[names[0]]) | {
        "failures": cells.failures,
        "elsewhere": sorted(cells.elsewhere),
    }
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    if csv is not None and runs:
        write_text(csv, to_csv(record["runs"]))
    if json_file is not None:
        write_text(json_file, text)
    if json_:
        tell(text.removesuffix("\n"))
    elif runs:
        print_gathered(record)
        if record["paired"]:
            print_paired(record["paired"], record["baseline"])
        elif record["not_paired"]:
            console.print(f"no paired differences: {record['not_paired']}", highlight=False)
    if left_out:
        _exit(FAILED if cells.failures else ELSEWHERE)


def _trainer(
    out: Path, jobs: int, cluster: str | None, parallel: int | None, slurm: Sequence[str]
) -> "Callable[[Cells, Sequence[str]], None]":
    """What trains cells, as the options say: here, side by side, or on a cluster."""
    check_count("jobs", jobs)
    if cluster is None:
        if parallel is not None or slurm:
            raise SettingError("--parallel and --slurm go with --cluster; name the cluster, too")
        return partial(_train_side_by_side, jobs=jobs) if jobs > 1 else _train_here
    if jobs > 1:
        raise SettingError("--jobs is for a sweep without --cluster; write --parallel")
    executor = make_executor(cluster, out / FOLDER, parallel, slurm)
    return partial(_train_on_cluster, executor=executor, parallel=parallel)


def _print_plan(cells: Cells, unfinished: Sequence[str], as_json: bool) -> None:
    """The cells with their commands: a line and an indented one each, or as JSON."""
    if as_json:
        rows = [
            {
                "run": str(cells.out / name),
                "method": cell.method,
                "seed": cell.seed,
                "order": cell.order,
                "varied": {**cell.options, **cell.settings},
                "finished": name not in unfinished,
                "command": cells.command(name),
            }
            for name, cell in cells.by_name.items()
        ]
        tell(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for name in cells.by_name:
        state = "to train" if name in unfinished else "finished"
        tell(f"{state}  {cells.out / name}\n          {shlex.join(cells.command(name))}")


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
