"""`fggm-lab run`: train a model through a task sequence."""

from typing import Annotated, Any

import typer

from fggm_lab.checks import check_count
from fggm_lab.cli.console import console
from fggm_lab.cli.interrupt import go_on, stoppable
from fggm_lab.cli.options import options_of
from fggm_lab.cli.prepare import Out, prepare
from fggm_lab.cli.ranks import meet, part
from fggm_lab.cli.results import print_comparison
from fggm_lab.cli.side_by_side import train_all
from fggm_lab.settings import RESOURCES


@options_of(prepare)
def train(
    out: Out,
    jobs: Annotated[
        int,
        typer.Option(
            help="Methods trained at the same time, each in a process of its own; of a small "
            "model on a CPU as many as there are cores.",
            rich_help_panel=RESOURCES,
        ),
    ] = 1,
    quiet: bool = False,
    **options: Any,
) -> list[Any]:
    """Train a model through a task sequence under each of the methods; the runs.

    The options are those of `fggm-lab run`; `quiet` says nothing about the data.

    Returns:
        The runs, one for each method, in their order.

    Raises:
        SettingError: options cannot be used together, or one is outside what it may be.
    """
    from fggm_lab.progress import MethodsProgress
    from fggm_lab.runs import Run

    meet(jobs, options.get("device"))
    check_count("jobs", jobs)
    training_jobs = prepare(out=out, quiet=quiet, **options)
    with MethodsProgress(console, list(training_jobs)).shown() as progress:
        train_all(training_jobs, jobs, progress.tell, progress.finish)
    finished = [Run.open(job.out) for job in training_jobs.values()]
    cut = sum(e["truncated"] for e in finished[0].events("task"))
    if cut and not quiet:
        console.print(
            f"{cut} training prompts were cut from the left to {finished[0].config.max_length} "
            "tokens (the answers are whole)"
        )
    if (cut := _count_in_last_evaluation(finished[0], "truncated")) and not quiet:
        console.print(
            f"{cut} prompts of the last evaluation were cut from the left, those of a task to the "
            "length that its longest answer leaves"
        )
    if (left_out := _skipped(finished[0])) and not quiet:
        console.print(
            f"left out, since their answers do not fit into {finished[0].config.max_length} "
            f"tokens: {left_out}",
            highlight=False,
        )
    for run in finished:
        if (empty := _count_in_last_evaluation(run, "empty")) and not quiet:
            console.print(
                f"{run.config.method}: {empty} answers after the last task are empty and score 0",
                highlight=False,
            )
    return finished


def _skipped(run: Any) -> str:
    """The counts of examples that a run left out, in words: `FOMC 3 train, 1 test`."""
    start = run.events("start")[0]
    parts = [
        f"{task} {', '.join(f'{count} {split}' for split, count in splits.items())}"
        for task, splits in start.get("skipped", {}).items()
    ]
    parts += [f"{skill} {count}" for skill, count in start.get("general_skipped", {}).items()]
    return "; ".join(parts)


def _count_in_last_evaluation(run: Any, name: str) -> int:
    """A count of a run's last whole evaluation, of all tasks together: `empty`, `truncated`."""
    evaluations = [event for event in run.events("evaluation") if event["final"]]
    return (
        sum(task.get(name, 0) for task in evaluations[-1]["tasks"].values()) if evaluations else 0
    )


@options_of(train, without=("quiet",))
def run(**options: Any) -> None:
    """Train a model through a task sequence under one or more methods.

    Example: `fggm-lab run --methods sft,fggm,random --seed 1 --out runs/first`
    """
    with stoppable(go_on(options["resume"])):
        print_comparison(train(**options))
        part()
