"""What `fggm-lab run` and every command like it train: their options, and the runs they make."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fggm_lab.cli.code import tell_about_code
from fggm_lab.cli.console import console
from fggm_lab.cli.job import TrainingJob
from fggm_lab.cli.methods import make_methods, method_names, method_settings
from fggm_lab.cli.options import METHODS, RUN_FOLDER, settings_from, training_options
from fggm_lab.cli.out import not_inside_a_run
from fggm_lab.cli.presets import (
    check_general,
    choose_preset,
    preset_method_settings,
    preset_table,
)
from fggm_lab.errors import SettingError
from fggm_lab.settings import CHECKPOINT_STEPS, MEASURING, RESOURCES, TASKS

if TYPE_CHECKING:  # imports torch, which would slow every command's start
    from fggm_lab.tasks import TaskSequence

Out = Annotated[
    Path,
    typer.Option(
        callback=not_inside_a_run,
        help="Folder that gets one run folder per method.",
        rich_help_panel=RUN_FOLDER,
    ),
]


def _task_index(names: Sequence[str], task: str) -> int:
    """The 0-based index of a task given by its name or its number, counted from 1."""
    if task in names:
        return names.index(task)
    if task.isdigit() and 1 <= int(task) <= len(names):
        return int(task) - 1
    raise SettingError(
        f"--task {task}: the tasks are {', '.join(names)}; give a name or a number from 1 to "
        f"{len(names)}"
    )


def check_saving_and_logging(checkpoint_every: str, log_with: str | None) -> list[Any]:
    """Look whether a training can save its state and log as it is told to.

    Args:
        checkpoint_every: as `--checkpoint-every` has it.
        log_with: as `--log-with` has it.

    Returns:
        The trackers.

    Raises:
        SettingError: the interval is written in another way, or there is no such tracker.
        MissingExtra: a tracker's library is not installed.
    """
    from fggm_lab.training.checkpoint_interval import CheckpointInterval
    from fggm_lab.training.trackers import check_trackers

    CheckpointInterval.parse(checkpoint_every)
    return check_trackers(log_with or ())


@training_options()
def prepare(
    out: Out,
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
            "--chat/--no-chat",
            help="Write the tasks' prompts as a user's messages, with the model's chat template; "
            "General's stay as they are.",
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
            help="`trace-1`, `trace-2` (TRACE's official ones), task names, comma-separated, or "
            "`default`: TRACE's order, then by name.",
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
    attention: Annotated[
        str | None,
        typer.Option(
            help="The kernels of attention: `eager`, `sdpa`, `flash_attention_2`, … [default: what "
            "transformers chooses]",
            rich_help_panel=RESOURCES,
        ),
    ] = None,
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
    checkpoint_every: Annotated[
        str,
        typer.Option(
            help="Save the state to go on from every N steps of a task (`200`) or after a time "
            "(`15min`).",
            rich_help_panel=RUN_FOLDER,
        ),
    ] = str(CHECKPOINT_STEPS),
    log_with: Annotated[
        str | None,
        typer.Option(
            help="Experiment trackers of accelerate that get every number of the log, "
            "comma-separated: `tensorboard`, `wandb`, `mlflow`, `trackio`, …",
            rich_help_panel=MEASURING,
        ),
    ] = None,
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
) -> dict[str, TrainingJob]:
    """What each method needs to be trained through a task sequence; nothing is trained here.

    The options are those of `fggm-lab run`; `quiet` says nothing about the data, and `training` is
    the options that are made of `TrainingSettings`.

    Returns:
        The methods' names → their runs, in their order.

    Raises:
        SettingError: options cannot be used together, or one is outside what it may be.
    """
    from fggm_lab.runs import Run
    from fggm_lab.runs.sweep import DEFAULT_ORDER
    from fggm_lab.tasks import SHIPPED, load_general

    names = method_names(methods)
    settings = settings_from(training)
    own_settings = method_settings(names, keep, set_ or [], preset_method_settings(preset))
    chosen_methods = make_methods(names, own_settings)
    trackers = check_saving_and_logging(checkpoint_every, log_with)
    if (from_ is None) != (task is None):
        raise SettingError("--from and --task go together: the run, and the task it is left after")
    if from_ is not None and not resume:
        Run.open(from_)  # raises here, not once the model is loaded; a resumed run needs it not
    order = None if order == DEFAULT_ORDER else order  # which overrides a preset's
    sequence = _load_sequence(tasks, order, variant, allow_missing, chat, quiet)
    branch = None if from_ is None else (from_, _task_index(sequence.names, task or ""))
    if preset is not None and model != "tiny":
        check_general(preset, general)
    if preset is not None and not quiet:
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
    return {
        method.name: TrainingJob(
            method=name,
            method_settings=own_settings[name],
            out=out / method.name,
            model=model,
            loading={
                "device": device,
                "dtype": dtype,
                "attn_implementation": attention,
                "trust_remote_code": trust_remote_code,
            },
            tasks=sequence,
            general=ability,
            settings=settings,
            branch=branch,
            options={
                "allow_code_execution": allow_code_execution,
                "resume": resume,
                "keep_checkpoints": keep_checkpoints,
                "checkpoint_every": checkpoint_every,
                "log_with": trackers,
                "preset": preset,
            },
        )
        for name, method in chosen_methods.items()
    }


def _load_sequence(
    tasks: str, order: str | None, variant: str | None, allow_missing: bool, chat: bool, quiet: bool
) -> "TaskSequence":
    """The tasks as the options of `prepare` have them; what is odd about them is told."""
    from fggm_lab.tasks import ORDERS, TRACE_ORDER, audit, load_tasks, missing_tasks

    sequence = load_tasks(tasks, order=order, variant=variant, allow_missing=allow_missing)
    if chat:
        sequence = sequence.as_conversations()
    if quiet:
        return sequence
    warnings = audit(sequence).warnings()
    missing = missing_tasks(sequence.names) if order is None or order in ORDERS else []
    part_of_trace = len(missing) + len(sequence) == len(TRACE_ORDER)
    if missing and (allow_missing or part_of_trace):
        warnings.insert(0, f"going on without {', '.join(missing)}, which TRACE has")
    for warning in warnings:
        console.print_marked("warning", "yellow", warning)
    return sequence
