"""The main job: train a model through a task sequence, measuring and saving as it goes."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import DataError, SettingError
from fggm_lab.heap import keep_freed_memory
from fggm_lab.methods import Method
from fggm_lab.models import context_length, example_length
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.models.fingerprint import fingerprint
from fggm_lab.runs import Run, RunConfig
from fggm_lab.runs.config import by_task
from fggm_lab.tasks import (
    PASS_AT_1,
    General,
    ScoredSplit,
    Split,
    Task,
    TaskSequence,
    task_fingerprint,
)
from fggm_lab.tasks.code import isolation
from fggm_lab.training.session import Pause, Session
from fggm_lab.training.writer import Listener


def run_sequence(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    tasks: TaskSequence,
    method: Method,
    out: str | Path,
    *,
    general: General | None = None,
    seed: int = 0,
    epochs: float | Sequence[float] | Mapping[str, float] = 5,
    batch_size: int = 32,
    lr: float = 5e-4,
    schedule: str = "linear",
    weight_decay: float = 0.0,
    clip: float | None = 1.0,
    optimizer: str = "adamw",
    micro_batch: int | None = None,
    autocast: bool = False,
    recompute: bool = False,
    max_length: int | None = None,
    limit: int | None = None,
    score_limit: int | None = None,
    split: ScoredSplit = "test",
    max_new_tokens: int | Sequence[int] | Mapping[str, int] | None = None,
    allow_code_execution: bool = False,
    points_per_task: int = 12,
    probe: int = 8,
    fisher_points: int | None = None,
    fisher_examples: int | None = 128,
    model_name: str | None = None,
    resume: bool = False,
    branch: tuple[Run, int] | None = None,
    checkpoint_every: int = 50,
    keep_checkpoints: bool = True,
    in_place: bool = False,
    listener: Listener | None = None,
    pause: Pause | None = None,
) -> Run:
    """Train through `tasks` in order under `method`, and write a run folder.

    Args:
        out: the run folder; must not hold a run yet, unless `resume`.
        general: what General is measured on (None: not measured).
        seed: orders the data and draws whatever the method draws.
        epochs, batch_size, lr, schedule, weight_decay, clip, optimizer: the training of each
            task; `epochs` is one number, one for each task, or a dictionary by task name; `clip` is
            the largest gradient norm, taken after masking. The optimiser starts fresh with each
            task.
        micro_batch, autocast, recompute: for large models: the most examples in one forward pass,
            matrix products in bfloat16, activations computed anew in backward.
        max_length: tokens per example; longer prompts are cut from the left.
        limit: use at most so many examples of each split.
        score_limit: score at most so many examples of each task and, of General, of each skill.
        split: the split that is scored, `test` or, to choose settings, `eval`.
        max_new_tokens: the most tokens of a scored answer: one number, one for each task, or a
            dictionary by task name; None, or no number for a task: as many as can matter to its
            score (the longest right answer, 4 more where texts are compared as a whole).
        allow_code_execution: score code tasks, and General's skills with tests, by running what
            the model wrote, shut in as far as the system allows (`fggm_lab.tasks.code.isolation`);
            without, they are scored by exact match of the text.
        points_per_task, probe: how often to measure inside a task, and on how many examples of
            each task seen so far.
        fisher_points: keep Fisher scores before every task and at so many points along it, the last
            at its end (0: only before); None keeps what the method itself scores and no more.
            Training is the same, bit for bit; read them with `Run.fisher_along`.
        fisher_examples: of how many of a task's training examples, drawn by the seed (None: all);
            what the method itself scores before a task stays as it makes it.
        resume: go on with the run in `out` if there is one; on the CPU the result equals that of
            an uninterrupted run, bit for bit.
        branch: another run and the 0-based task after which to take up its model and history.
        checkpoint_every: steps between saved states.
        keep_checkpoints: keep the model after every task, not only after the last.
        in_place: train `model` itself; by default a copy is trained and `model` stays as it is.
        listener: called with every event.
        pause: asked after every step; once it says True the state is saved and the unfinished run
            returned, to go on with `resume`.

    Raises:
        SettingError, DataError, ModelError: the input cannot be used.
        RunError: `out` holds another run, is in use by another process, or is damaged.
        TrainingError: the loss is not a number any more; the last good state is kept.
    """
    tasks = tasks.limited(limit).limited(score_limit, [split])
    general = None if general is None else general.limited(score_limit)
    method.check(len(tasks))
    for task in tasks:
        if not task.split(split):
            raise DataError(f"task {task.name} has no {split} split; add {split}.json")
    if recompute and not model.supports_gradient_checkpointing:
        raise SettingError(
            f"{type(model).__name__} cannot compute activations anew; train without recompute"
        )
    code = [task.name for task in tasks if task.metric == PASS_AT_1]
    code += general.code if general is not None else []
    runs_code = allow_code_execution and bool(code)
    if runs_code:
        isolation()  # raises here, not after an hour, where programs cannot be run
    context = context_length(model)
    longest = example_length(model, max_length)
    # An answer that does not fit is better known now than an hour later.
    encoded = [_encode(tokenizer, task, "train", longest, context) for task in tasks]
    for task in tasks:
        _encode(tokenizer, task, split, longest, context)
    config = RunConfig(
        model=model_name or str(model.config._name_or_path or type(model).__name__),
        model_fingerprint=fingerprint(model),
        tasks=tasks.source,
        task_names=tasks.names,
        task_fingerprint=task_fingerprint(tasks),
        data_fingerprint=task_fingerprint(sorted(tasks, key=lambda task: task.name)),
        general=None if general is None else general.source,
        general_choices=general.choose if general is not None and general.choices else None,
        method=method.name,
        method_settings=method.settings,
        seed=seed,
        epochs=by_task("epochs", epochs, tasks.names),
        batch_size=batch_size,
        lr=lr,
        schedule=schedule,
        weight_decay=weight_decay,
        clip=clip,
        max_length=longest,
        limit=limit,
        score_limit=score_limit,
        split=split,
        max_new_tokens=None
        if max_new_tokens is None
        else by_task("max_new_tokens", max_new_tokens, tasks.names),
        code_execution=runs_code,
        points_per_task=points_per_task,
        probe=probe,
        fisher_points=fisher_points,
        fisher_examples=fisher_examples,
        optimizer=optimizer,
        micro_batch=micro_batch,
        autocast=autocast,
        recompute=recompute,
        device=model.device.type,
        dtype=str(model.dtype).removeprefix("torch."),
        branch=None if branch is None else {"run": str(branch[0].path), "task": branch[1]},  # type: ignore[arg-type]
    )
    held = resume and (Path(out) / "config.json").exists()
    run = Run.resume(out, config) if held else Run.create(out, config)
    if run.finished:
        return run
    trained = model if in_place else copy.deepcopy(model)
    session = Session(
        run,
        trained,
        tokenizer,
        tasks,
        encoded,
        method,
        general,
        listener,
        pause,
        checkpoint_every,
        keep_checkpoints,
    )
    keep_freed_memory()
    with run.lock():
        session.go(branch)
    return run


def _encode(
    tokenizer: PreTrainedTokenizerBase, task: Task, split: Split, max_length: int, context: int
) -> list[Encoded]:
    """A split's examples as token ids; an answer that does not fit is named with its task."""
    where = f"task {task.name}, {split} split"
    return encode(tokenizer, task.split(split), max_length, where=where, context=context)
