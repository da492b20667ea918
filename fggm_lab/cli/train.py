"""`fggm-lab run`: train a model through a task sequence."""

from pathlib import Path
from typing import Annotated, Any

import typer

from fggm_lab.checks import check_count
from fggm_lab.cli.code import tell_about_code
from fggm_lab.cli.console import console
from fggm_lab.cli.interrupt import go_on, stoppable
from fggm_lab.cli.job import TrainingJob
from fggm_lab.cli.methods import make_methods, method_names, method_settings
from fggm_lab.cli.options import (
    METHODS,
    RUN_FOLDER,
    options_of,
    settings_from,
    training_options,
)
from fggm_lab.cli.out import not_inside_a_run
from fggm_lab.cli.presets import (
    check_general,
    choose_preset,
    preset_method_settings,
    preset_table,
)
from fggm_lab.cli.ranks import meet, part
from fggm_lab.cli.results import print_comparison
from fggm_lab.cli.side_by_side import train_all
from fggm_lab.errors import SettingError
from fggm_lab.settings import MEASURING, RESOURCES, TASKS


def _task_index(run: Any, task: str) -> int:
    """The 0-based place of a task given by its name or its number, counted from 1."""
    names: list[str] = run.config.task_names
    if task in names:
        return names.index(task)
    if task.isdigit() and 1 <= int(task) <= len(names):
        return int(task) - 1
    raise SettingError(
        f"--task {task}: {run.path} has the tasks {', '.join(names)}; give a name or a number "
        f"from 1 to {len(names)}"
    )


@training_options()
def train(
    out: Annotated[
        Path,
        typer.Option(
            callback=not_inside_a_run,
            help="Folder that gets one run folder per method.",
            rich_help_panel=RUN_FOLDER,
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            help="`tiny` (shipped), `smollm2`, a Hugging Face folder, a GGUF file or a hub id.",
            rich_help_panel=TASKS,
        ),
    ] = "tiny",
    preset: Annotated[
        str | None,
        typer.Option(
            help="Defaults known by a name, `fggm-paper`; options given here override them.",
            callback=choose_preset,
            is_eager=True,
            rich_help_panel=METHODS,
        ),
    ] = None,
    tasks: Annotated[
        str,
        typer.Option(
            help="`trace-mini`, `code-mini`, `real-mini` (shipped) or a folder in TRACE's layout.",
            rich_help_panel=TASKS,
        ),
    ] = "trace-mini",
    chat: Annotated[
        bool,
        typer.Option(
            "--chat",
            help="Write prompts as a user's messages, with the model's chat template.",
            rich_help_panel=TASKS,
        ),
    ] = False,
    variant: Annotated[
        str | None,
        typer.Option(
            help="Of TRACE's release: `500`, `1000`, `5000` or `Reasoning`.", rich_help_panel=TASKS
        ),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Go on without tasks of TRACE's eight.", rich_help_panel=TASKS
        ),
    ] = False,
    methods: Annotated[
        str,
        typer.Option(help="Comma-separated; `fggm-lab info` lists them.", rich_help_panel=METHODS),
    ] = "sft,migu,fggm,random",
    general: Annotated[
        str | None,
        typer.Option(
            help="What General is measured on: `trace-mini`, a folder or file of JSON examples, "
            "a text file (held-out loss), or `none`. [default: the shipped skills with the "
            "shipped model, else none]",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    general_choices: Annotated[
        str,
        typer.Option(
            help="How General's multiple-choice questions are answered: by likelihood per "
            "`character` or `token` of a choice or its `sum`, or by `generation`.",
            rich_help_panel=MEASURING,
        ),
    ] = "character",
    keep: Annotated[
        float | None,
        typer.Option(
            help="Share of units that may move, for masking methods.", rich_help_panel=METHODS
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A method's setting, such as `fggm.scope=global`; repeatable.",
            rich_help_panel=METHODS,
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            help="`trace-1`, `trace-2` (TRACE's official ones), or task names, comma-separated. "
            "[default: TRACE's order]",
            rich_help_panel=TASKS,
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="`cpu`, `cuda`, … [default: a GPU where there is one]", rich_help_panel=RESOURCES
        ),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="`float32`, `bfloat16`, …", rich_help_panel=RESOURCES)
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            help="Methods trained at the same time, each in a process of its own; of a small "
            "model on a CPU as many as there are cores.",
            rich_help_panel=RESOURCES,
        ),
    ] = 1,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on where an interrupted call stopped.", rich_help_panel=RUN_FOLDER
        ),
    ] = False,
    from_: Annotated[
        Path | None,
        typer.Option("--from", help="Continue another run's model …", rich_help_panel=RUN_FOLDER),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="… from after this task (its name or number, from 1).", rich_help_panel=RUN_FOLDER
        ),
    ] = None,
    keep_checkpoints: Annotated[
        bool,
        typer.Option(
            help="Keep the model after every task, not only the last.", rich_help_panel=RUN_FOLDER
        ),
    ] = True,
    trust_remote_code: Annotated[
        bool,
        typer.Option(
            "--trust-remote-code", help="Let a hub model run its own code.", rich_help_panel=TASKS
        ),
    ] = False,
    allow_code_execution: Annotated[
        bool,
        typer.Option(
            "--allow-code-execution",
            help="Score code tasks, and General's skills with tests, by running what the model "
            "writes, shut in as far as possible.",
            rich_help_panel=MEASURING,
        ),
    ] = False,
    quiet: bool = False,
    **training: Any,
) -> list[Any]:
    """Train a model through a task sequence under each of the methods; the runs.

    The options are those of `fggm-lab run`; `quiet` says nothing about the data, and `training` is
    the options that are made of `TrainingSettings`.

    Returns:
        The runs, one for each method, in their order.

    Raises:
        SettingError: options cannot be used together, or one is outside what it may be.
    """
    from fggm_lab.progress import MethodsProgress
    from fggm_lab.runs import Run
    from fggm_lab.tasks import (
        ORDERS,
        SHIPPED,
        TRACE_ORDER,
        audit,
        load_general,
        load_tasks,
        missing_tasks,
    )

    meet(jobs, device)
    names = method_names(methods)
    settings = settings_from(training)
    own_settings = method_settings(names, keep, set_ or [], preset_method_settings(preset))
    chosen_methods = make_methods(names, own_settings)
    check_count("jobs", jobs)
    if (from_ is None) != (task is None):
        raise SettingError("--from and --task go together: the run, and the task it is left after")
    source = None if from_ is None else Run.open(from_)
    branch = None if source is None else (source.path, _task_index(source, task or ""))
    sequence = load_tasks(tasks, order=order, variant=variant, allow_missing=allow_missing)
    if chat:
        sequence = sequence.as_conversations()
    warnings = [] if quiet else audit(sequence).warnings()
    missing = missing_tasks(sequence.names) if order is None or order in ORDERS else []
    part_of_trace = len(missing) + len(sequence) == len(TRACE_ORDER)
    if missing and (allow_missing or part_of_trace) and not quiet:
        warnings.insert(0, f"going on without {', '.join(missing)}, which TRACE has")
    for warning in warnings:
        console.print(f"[yellow]warning[/] {warning}", highlight=False)
    if preset is not None:
        if model != "tiny":
            check_general(preset, general)
        if not quiet:
            values = {
                "model": model,
                "tasks": tasks,
                "chat": chat,
                "order": order,
                "methods": tuple(names),
                "keep": keep,
                "general": general or SHIPPED,
            }
            console.print(preset_table(preset, values, settings, list(chosen_methods.values())))
    if general is None:
        general = SHIPPED if model == "tiny" else "none"
    ability = None if general == "none" else load_general(general, settings.split, general_choices)  # type: ignore[arg-type]
    if not quiet:
        tell_about_code(sequence, ability, allow_code_execution)
    training_jobs = {
        method.name: TrainingJob(
            method=name,
            method_settings=own_settings[name],
            out=out / method.name,
            model=model,
            loading={"device": device, "dtype": dtype, "trust_remote_code": trust_remote_code},
            tasks=sequence,
            general=ability,
            settings=settings,
            branch=branch,
            options={
                "allow_code_execution": allow_code_execution,
                "resume": resume,
                "keep_checkpoints": keep_checkpoints,
                "preset": preset,
            },
        )
        for name, method in chosen_methods.items()
    }
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
