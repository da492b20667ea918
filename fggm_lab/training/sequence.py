"""The main job: train a model through a task sequence, measuring and saving as it goes."""

import copy
import inspect
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_path
from fggm_lab.distributed import barrier, is_main, on_main, world
from fggm_lab.heap import keep_freed_memory
from fggm_lab.methods import Method, as_method, class_references
from fggm_lab.models import example_length
from fggm_lab.runs import Branch, Run, RunConfig
from fggm_lab.runs.folders import CONFIG
from fggm_lab.settings import CHECKPOINT_STEPS, TrainingSettings
from fggm_lab.tasks import (
    General,
    TaskSequence,
)
from fggm_lab.tasks.general import as_general
from fggm_lab.training.branch import SourceRun, branch_point, opened_source
from fggm_lab.training.checkpoint_interval import CheckpointInterval
from fggm_lab.training.open_maskings import close_earlier
from fggm_lab.training.preflight import check_trainable, prepare_sequence
from fggm_lab.training.ranks import check_started_alike, check_visible
from fggm_lab.training.run_config import run_config
from fggm_lab.training.session import Pause, Session
from fggm_lab.training.trackers import Trackers, check_trackers, logging_to
from fggm_lab.training.writer import Listener


@world()
def run_sequence(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    method: Method | str,
    out: str | Path,
    *,
    settings: TrainingSettings | None = None,
    general: General | str | Path | None = None,
    allow_code_execution: bool = False,
    model_name: str | None = None,
    preset: str | None = None,
    resume: bool = False,
    branch: tuple[SourceRun, int] | None = None,
    checkpoint_every: int | str = CHECKPOINT_STEPS,
    keep_checkpoints: bool = True,
    in_place: bool = False,
    listener: Listener | None = None,
    log_with: Trackers = (),
    pause: Pause | None = None,
    **overrides: Any,
) -> Run:
    """Train through `tasks` in order under `method`, and write a run folder.

        lab.run_sequence(model, tokenizer, tasks, lab.FGGM(), "runs/fggm", lr=1e-3, epochs=3)

    On a CPU the same call gives the same numbers bit for bit on one kind of processor, with the
    same threads and versions of libraries; on another kind sums are rounded in another order, and
    what is small at first grows over a training. The run records all three.

    In the processes of a launch (`torchrun`, `accelerate launch`) the call is data parallel: every
    process makes it with the same arguments, each takes a share of the examples of every step,
    Fisher pass and evaluation, and rank 0 writes the run. The numbers are those of one process, up
    to rounding; all processes return the run.

    Args:
        model: what is trained: a copy of it, unless `in_place`.
        tokenizer: the model's.
        tasks: the sequence, in the order in which it is learned.
        method: how forgetting is countered: a method, or its name as `make_method` takes it, such
            as `"fggm"`, `"replay+fggm"` or `"mymodule:MyMethod"`.
        out: the run folder; must not hold a run yet, unless `resume`.
        settings: how to train and what to measure, `TrainingSettings()` unless given.
        general: what General is measured on, or what `load_general` takes (None: not measured).
        allow_code_execution: score code tasks, and General's skills with tests, by running what
            the model wrote, shut in as far as the system allows (`fggm_lab.tasks.code.isolation`);
            without, they are scored by exact match of the text.
        model_name: what the run's record calls the model; by default its folder or hub id.
        preset: the name of the preset that `settings` are of, for the run's record.
        resume: go on with the run in `out` if there is one; on the CPU the result equals that of
            an uninterrupted run, bit for bit.
        branch: another run, or its folder, and the 0-based task after which to take up its model
            and history. A run that is resumed has them already: it needs neither the argument nor
            the other run.
        checkpoint_every: steps of a task between saved states, or a time such as `15min`; what is
            computed is the same, bit for bit.
        keep_checkpoints: keep the model after every task, not only after the last.
        in_place: train `model` itself; by default a copy is trained and `model` stays as it is.
        listener: called with every event.
        log_with: experiment trackers of accelerate, such as `"tensorboard"` or `["wandb"]`, or
            objects of its `GeneralTracker`: they get the run's settings and every number that
            `fggm_lab.runs.log_scalars` has, over the run's steps, each once however often the run
            is resumed.
        pause: asked after every step; once it says True the state is saved and the unfinished run
            returned, to go on with `resume`.
        overrides: fields of `TrainingSettings` that differ from `settings`, such as `lr=1e-3`.

    Returns:
        The run: finished, or paused by `pause`.

    Raises:
        SettingError: a setting is outside what it may be, or does not fit the model.
        DataError: a task has no such split, or an answer does not fit (with `skip_too_long`, none
            of a split's does).
        ModelError: the model cannot be used, as one with adapters or quantised weights.
        RunError: `out` holds another run, is in use by another process, or is damaged; or the run
            to branch from has other tasks or was scored in another way.
        TrainingError: the loss is not a number any more, or a tracker failed; the last good state
            is kept.
        RankError: another process of a data-parallel run has ended, or has other masks or weights.
        MissingExtra: a tracker's library is not installed.
    """
    check_trainable(model, tokenizer)
    check_path(out, inside="checkpoints")
    method = as_method(method)
    interval = CheckpointInterval.parse(checkpoint_every)
    trackers = check_trackers(log_with) if is_main() else []
    training = (settings or TrainingSettings()).with_changes(**overrides).for_tasks(tasks.names)
    training = training.with_changes(max_length=example_length(model, training.max_length))
    general = as_general(general, training.split)
    prepared = prepare_sequence(
        model, tokenizer, tasks, general, method, training, allow_code_execution
    )
    config = run_config(
        model,
        tokenizer,
        prepared.used.tasks,
        prepared.used.general,
        model_name=model_name,
        method=method.name,
        method_settings=method.settings,
        method_classes=class_references(method),
        training=training,
        code_execution=prepared.runs_code,
        branch=None if branch is None else Branch(run=_folder_name(branch[0]), task=branch[1]),
        preset=preset,
    )
    arguments = {
        "out": str(out),
        "resume": resume,
        "checkpoint_every": checkpoint_every,
        "keep_checkpoints": keep_checkpoints,
    }
    check_started_alike(config, arguments)
    if branch is not None and not (resume and on_main((Path(out) / CONFIG).exists)):
        on_main(partial(_check_branch, *branch, config))
    run = on_main(lambda: Run.create_or_resume(out, config) if resume else Run.create(out, config))
    check_visible(run)
    if on_main(lambda: run.finished):
        if trackers:
            _tell_all(run, trackers)
        return run
    close_earlier(model)
    trained = model if in_place else copy.deepcopy(model)
    keep_freed_memory()
    with ExitStack() as stack:
        on_main(lambda: stack.enter_context(run.lock()))
        tell = stack.enter_context(logging_to(trackers, run, listener))
        session = Session(
            run,
            trained,
            tokenizer,
            prepared,
            method,
            listener=tell,
            pause=pause,
            interval=interval,
            keep_checkpoints=keep_checkpoints,
        )
        if branch is None and run.config.branch is not None:
            branch = (run.config.branch.run, run.config.branch.task)
        session.train(branch)
        barrier()
    return run


def _tell_all(run: Run, trackers: Sequence[str | GeneralTracker]) -> None:
    """Let trackers hear what they have not heard of a finished run."""
    with run.lock(), logging_to(trackers, run, None) as tell:
        for event in run.events():
            tell(event)


def _folder_name(source: SourceRun) -> str:
    """What a run's record calls the run that it left."""
    return str(source.path if isinstance(source, Run) else source)


def _check_branch(source: SourceRun, task: int, config: RunConfig) -> None:
    """Refuse what cannot be branched before there is a folder for it."""
    branch_point(opened_source(source), task, config)


def _with_settings_named(function: Any) -> inspect.Signature:
    """A function's signature with every training setting in the place of its `**overrides`."""
    signature = inspect.signature(function)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    settings = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=field.annotation
        )
        for name, field in TrainingSettings.model_fields.items()
    ]
    return signature.replace(parameters=[*named, *settings])


run_sequence.__signature__ = _with_settings_named(run_sequence)  # type: ignore[attr-defined]
