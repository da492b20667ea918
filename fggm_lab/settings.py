"""How a model is trained and measured: one record that holds every such setting.

`run_sequence` takes the record or its fields, a run's `config.json` holds it, and the options of
`fggm-lab run` and `fggm-lab sweep` are made from it. A new setting is one field here, with its
description below it, and the line of the training loop where it acts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import ErrorDetails
from typing_extensions import Self

from fggm_lab.deprecation import warn_renamed
from fggm_lab.errors import SettingError, nearest, shortened

__all__ = ["Option", "TrainingSettings"]

Schedule = Literal["linear", "constant"]
"""How the learning rate goes on from its peak."""
OptimizerName = Literal["adamw", "sgd"]
"""The optimisers of `torch.optim` that a task can be trained with."""

DEFAULT_MAX_LENGTH = 1024
"""The most tokens per example in training and evaluation unless `max_length` says otherwise."""
CHECKPOINT_STEPS = 50
"""Steps of a task from one saved state to the next unless `checkpoint_every` says otherwise."""


TASKS, TRAINING, RESOURCES, MEASURING = (
    "Model and tasks", "Training", "Memory and speed", "Measuring",
)  # fmt: skip
"""Headings under which the help lists the options of settings."""


@dataclass(frozen=True)
class Option:
    """What the command line makes of a setting, beside its type, bounds, default and description.

    Attributes:
        name: the option's name where it differs from the field's.
        shown: whether `fggm-lab run` and `sweep` have the option at all.
        panel: the heading under which the help lists it.
        sweep: whether `sweep --vary` takes it; runs that differ in it stand in one table.
        default: what the help says in place of a default of None.
        formerly: the field's name in version 0.1. It stays the name in `config.json`, and one
            release accepts it, with a warning, as keyword and as option.
    """

    name: str | None = None
    shown: bool = True
    panel: str = TRAINING
    sweep: bool = True
    default: str | None = None
    formerly: str | None = None


def _form(value: Any) -> str:
    """In which form a number per task is written, as a tag for pydantic's messages."""
    if isinstance(value, Mapping):
        return "@by name"
    return "@in order" if isinstance(value, list | tuple) else "@all"


# More can only be slips: batches are drawn ahead, task seeds stay below 2⁶³, weights below 1e38.
_MOST_EPOCHS, _LARGEST_SEED, _MOST_TEXTS, _LARGEST_RATE = 10_000, 2**63 - 1, 1_000_000, 1e6

_Epochs = Annotated[float, Field(gt=0, le=_MOST_EPOCHS)]
_Tokens = Annotated[int, Field(ge=1)]
Epochs = Annotated[
    Annotated[_Epochs, Tag("@all")]
    | Annotated[Sequence[_Epochs], Tag("@in order")]
    | Annotated[Mapping[str, _Epochs], Tag("@by name")],
    Discriminator(_form),
]
"""One number for all tasks, one for each task in order, or numbers by task name."""
NewTokens = Annotated[
    Annotated[_Tokens | None, Tag("@all")]
    | Annotated[Sequence[_Tokens], Tag("@in order")]
    | Annotated[Mapping[str, _Tokens], Tag("@by name")],
    Discriminator(_form),
]
"""As `Epochs`, but a task may have no number; None: none has."""
_Level = Annotated[float, Field(gt=0)]
Levels = Annotated[
    Annotated[_Level | None, Tag("@all")]
    | Annotated[Sequence[_Level], Tag("@in order")]
    | Annotated[Mapping[str, _Level], Tag("@by name")],
    Discriminator(_form),
]
"""As `NewTokens`, of numbers above 0 that need not be whole."""

Number = TypeVar("Number", int, float)


class TrainingSettings(BaseModel):
    """How the tasks of a sequence are trained, and what is measured on the way.

    Each field's description is also the help of its command-line option, where None is written
    `none`.

    Raises:
        SettingError: a setting is unknown or outside what it may be.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    seed: Annotated[int, Option(sweep=False)] = Field(default=0, ge=0, le=_LARGEST_SEED)
    """Orders the data and draws random masks and whatever else a method draws."""
    epochs: Epochs = 5.0
    """Passes over each task's training split: `5`, one for each task (`5,3,7`), or by name
    (`FOMC=3,Py150=5`)."""
    until_loss: Annotated[Levels, Option(sweep=False, default="all epochs are trained")] = None
    """Train a task only until its loss on the eval split, nats per answer token, is as low as this:
    `0.2`, one for each task, or by name (`FOMC=0.2`); `epochs` at most, over which a linear rate
    falls however early a task ends."""
    until_every: Annotated[int, Option(sweep=False)] = Field(default=8, ge=1)
    """Steps from one look at that loss to the next."""
    until_examples: Annotated[int | None, Option(sweep=False)] = Field(default=64, ge=1)
    """Examples of the eval split that it is of, the first ones; `none` takes all."""
    batch_size: int = Field(default=32, ge=1, le=_MOST_TEXTS)
    """Examples per step."""
    lr: float = Field(default=5e-4, ge=0, le=_LARGEST_RATE)
    """Peak learning rate."""
    schedule: Schedule = "linear"
    """How the learning rate goes on from its peak: `linear` falls to 0, `constant` stays."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of a task's steps, rounded up, over which the learning rate climbs linearly from 0 to
    its peak; the schedule goes on from there."""
    optimizer: OptimizerName = "adamw"
    """The optimiser; it starts fresh with each task."""
    weight_decay: float = Field(default=0.0, ge=0, le=_LARGEST_RATE)
    """The optimiser's weight decay."""
    clip: float | None = Field(default=1.0, gt=0)
    """Largest gradient norm, after masking; `none` switches clipping off."""
    micro_batch: Annotated[int | None, Option(panel=RESOURCES, default="the batch")] = Field(
        default=None, ge=1
    )
    """Examples per forward pass; the gradients of a batch's parts are added up."""
    autocast: Annotated[bool, Option(panel=RESOURCES)] = False
    """Matrix products in bfloat16."""
    gradient_checkpointing: Annotated[bool, Option(panel=RESOURCES, formerly="recompute")] = False
    """Keep few activations and compute the others again in the backward pass; saves memory."""
    max_length: Annotated[
        int | None, Option(panel=TASKS, default=f"the context, at most {DEFAULT_MAX_LENGTH}")
    ] = Field(default=None, ge=1)
    """Tokens per example; longer prompts are cut from the left."""
    limit: Annotated[int | None, Option(panel=TASKS, sweep=False)] = Field(default=None, ge=1)
    """Use the first N examples of a split."""
    score_limit: Annotated[int | None, Option(panel=MEASURING, sweep=False)] = Field(
        default=None, ge=1
    )
    """Score the first N examples of a task and of a skill of General."""
    score_max_prompt: Annotated[
        int | None, Option(panel=MEASURING, sweep=False, default="what the longest answer leaves")
    ] = Field(default=None, ge=1)
    """Tokens of a prompt when a task is scored; longer ones are cut from the left."""
    skip_too_long: Annotated[bool, Option(panel=TASKS, sweep=False)] = False
    """Leave out, and count, examples whose answers do not fit into `max_length`, of the training
    and the scored split and of General; else they are refused."""
    split: Annotated[Literal["test", "eval"], Option(panel=MEASURING, sweep=False)] = "test"
    """The split that is scored; `eval` to choose settings."""
    max_new_tokens: Annotated[
        NewTokens,
        Option(panel=MEASURING, sweep=False, default="as many as can matter to a task's score"),
    ] = None
    """Most tokens of a scored answer: `512`, one for each task, or by name (`MeetingBank=512`)."""
    score_unlearned: Annotated[bool, Option(panel=MEASURING, sweep=False)] = True
    """Score tasks not learned yet, too: forward transfer and the untrained model's scores need it,
    training does not."""
    points_per_task: Annotated[int, Option(name="points", panel=MEASURING)] = Field(
        default=12, ge=0
    )
    """Evaluations inside each task."""
    probe: Annotated[int, Option(panel=MEASURING)] = Field(default=8, ge=0)
    """Examples per task for each of them; 0 only where there are none of them."""
    fisher_points: Annotated[
        int | None, Option(panel=MEASURING, default="only what a method itself scores")
    ] = Field(default=None, ge=0)
    """Keep Fisher scores before each task and N times along it, the last time at its end; training
    is the same, bit for bit."""
    fisher_examples: Annotated[int | None, Option(panel=MEASURING)] = Field(default=128, ge=1)
    """Training examples for each of those scores, drawn by the seed; `none` uses all."""
    distance_samples: Annotated[int, Option(panel=MEASURING, sweep=False)] = Field(
        default=0, ge=0, le=_MOST_TEXTS
    )
    """Measure after each task how far the model is from the untrained one, KL in nats per token: on
    N texts that the untrained model drew, and on N examples of the task."""

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_sentence(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            if name not in cls.model_fields:
                names = list(cls.model_fields)
                raise SettingError(
                    f"setting {name}: there is no such setting{nearest(name, names)}; there are: "
                    f"{', '.join(names)}"
                ) from None
            raise SettingError(
                f"setting {dotted(first)}: {first['msg'].lower()} (it is "
                f"{shortened(repr(first['input']))}); "
                f"write {allowed_values(cls.model_fields[name])}"
            ) from None

    @model_validator(mode="after")
    def _samples_hold_examples(self) -> Self:
        if self.points_per_task > 1 and self.probe == 0:
            raise SettingError(
                f"probe is 0, so the {self.points_per_task} evaluations inside each task would "
                "score nothing; write a number of 1 or more, or points_per_task=0 (--points 0)"
            )
        return self

    def with_changes(self, **changes: Any) -> Self:
        """The same settings with some changed.

        Args:
            changes: fields and their values; a former name of a field is accepted with a warning.

        Returns:
            A new record; this one stays as it is.

        Raises:
            SettingError: a setting is unknown or outside what it may be.
        """
        former = former_names(type(self))
        set_fields = {name: getattr(self, name) for name in self.model_fields_set}
        for name, value in changes.items():
            if name in former:
                warn_renamed(name, former[name])
            set_fields[former.get(name, name)] = value
        return type(self)(**set_fields)

    def for_tasks(self, names: Sequence[str]) -> Self:
        """The settings of one sequence: what each task has a number of its own for, by its name.

        Numbers for TRACE's tasks that are not learned are left out, so that one set of numbers
        serves every part of TRACE.

        Args:
            names: the tasks that are learned, in order.

        Returns:
            Settings whose `epochs`, `until_loss` and `max_new_tokens` are one number or a
            dictionary by name.

        Raises:
            SettingError: there are more or fewer numbers than tasks, a name is no task's, or a
                task has no epochs.
        """
        epochs = by_task("epochs", self.epochs, names)
        tokens, levels = self.max_new_tokens, self.until_loss
        if tokens is not None:
            tokens = by_task("max_new_tokens", tokens, names)
        if levels is not None:
            levels = by_task("until_loss", levels, names)
        check_every_task(epochs, names)
        return self.with_changes(epochs=epochs, max_new_tokens=tokens, until_loss=levels)

    def epochs_of(self, task: str) -> float:
        """The epochs of a task by its name, of settings made by `for_tasks`."""
        epochs = _of_task("epochs", self.epochs, task)
        assert epochs is not None  # `for_tasks` has one for every task
        return epochs

    def level_of(self, task: str) -> float | None:
        """The held-out loss that ends a task by its name, of settings made by `for_tasks`."""
        return None if self.until_loss is None else _of_task("until_loss", self.until_loss, task)


def _of_task(
    setting: str, numbers: float | Sequence[float] | Mapping[str, float], task: str
) -> float | None:
    """A task's number; None if it has none."""
    if isinstance(numbers, Sequence):
        raise SettingError(f"{setting} is a list; call settings.for_tasks(names) first")
    return numbers.get(task) if isinstance(numbers, Mapping) else numbers


def option_of(field: FieldInfo) -> Option:
    """What the command line makes of a field of `TrainingSettings`."""
    return next((mark for mark in field.metadata if isinstance(mark, Option)), Option())


def former_names(record: type[TrainingSettings] = TrainingSettings) -> dict[str, str]:
    """Former name of a setting → its name now."""
    options = {name: option_of(field) for name, field in record.model_fields.items()}
    return {option.formerly: name for name, option in options.items() if option.formerly}


def allowed_values(field: FieldInfo) -> str:
    """What a setting may be, in words: `a number above 0, or none`."""
    types = set(_parts(field.annotation))
    if choices := sorted(part for part in types if isinstance(part, str)):
        words = f"one of: {', '.join(choices)}"
    elif bool in types:
        words = "true or false"
    else:
        words = "a whole number" if int in types else "a number"
        for mark in sorted([*field.metadata, *types], key=lambda mark: isinstance(mark, Lt | Le)):
            words += f" above {mark.gt:g}" if isinstance(mark, Gt) else ""
            words += f" of {mark.ge:g} or more" if isinstance(mark, Ge) else ""
            words += f", below {mark.lt:g}" if isinstance(mark, Lt) else ""
            words += f", at most {_digits(mark.le)}" if isinstance(mark, Le) else ""
        words += ", one for each task, or numbers by task name" if is_per_task(field) else ""
    return words + (", or none" if takes_none(field) else "")


def _digits(bound: Any) -> str:
    """A bound that is a whole number, all its digits in groups of three."""
    return f"{int(bound):,}"


def number_type(field: FieldInfo) -> type[int] | type[float]:
    """The type of a setting's numbers: `int` if they are whole, else `float`."""
    return int if int in _parts(field.annotation) else float


def takes_none(field: FieldInfo) -> bool:
    """Whether None is a value of a setting."""
    return type(None) in _parts(field.annotation)


def is_per_task(field: FieldInfo) -> bool:
    """Whether a task may have a number of its own for a setting."""
    return any(isinstance(mark, Discriminator) for mark in field.metadata)


def _parts(annotation: Any) -> list[Any]:
    """All that an annotation is made of: types, bounds, and the words of a `Literal`."""
    inner = [
        part
        for argument in get_args(annotation)
        for part in (argument.metadata if isinstance(argument, FieldInfo) else _parts(argument))
    ]
    return inner or [annotation]


def dotted(error: ErrorDetails) -> str:
    """Where in a record a value is wrong, as a dotted name: `epochs.FOMC`."""
    return ".".join(str(part) for part in error["loc"] if not str(part).startswith("@"))


def by_task(
    setting: str, values: Number | Sequence[Number] | Mapping[str, Number], tasks: Sequence[str]
) -> Number | dict[str, Number]:
    """A setting that a task may have a number of its own for: one number, or by task name.

    Args:
        setting: its name, for the message.
        values: one number, one for each task in order, or numbers by task name.
        tasks: the names of the tasks that are learned.

    Returns:
        One number, or task name → number; without numbers of TRACE's tasks that are not learned.

    Raises:
        SettingError: there are more or fewer numbers than tasks, or a name is no task's.
    """
    if isinstance(values, Mapping):
        check_names(setting, values, tasks)
        return {name: number for name, number in values.items() if name in tasks}
    if isinstance(values, Sequence):
        if len(values) != len(tasks):
            raise SettingError(
                f"{setting} has {len(values)} numbers for {len(tasks)} tasks "
                f"({', '.join(tasks)}); give one for each, or one number for all"
            )
        return dict(zip(tasks, values, strict=True))
    return values


def check_names(setting: str, names: Iterable[str], tasks: Sequence[str]) -> None:
    """Raise a `SettingError` unless each name is a learned task's or another one of TRACE's."""
    from fggm_lab.tasks import TRACE_ORDER

    for name in names:
        if name not in tasks and name not in TRACE_ORDER:
            raise SettingError(
                f"{setting} names a task '{name}' that is not learned; there are: "
                f"{', '.join(tasks)}{nearest(name, tasks)}"
            )


def check_every_task(epochs: object, tasks: Sequence[str]) -> None:
    """Raise a `SettingError` unless epochs by task name have a number for every task."""
    if isinstance(epochs, Mapping) and (without := [name for name in tasks if name not in epochs]):
        raise SettingError(
            f"epochs has no number for {', '.join(without)}; give one for every task, or "
            "one number for all"
        )
