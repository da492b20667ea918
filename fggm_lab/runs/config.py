"""The complete, validated settings of one run, and how two settings differ."""

import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    ModelWrapValidatorHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from fggm_lab.deprecation import stored_settings
from fggm_lab.errors import SettingError, nearest
from fggm_lab.mask_settings import MaskSettings, check_scope

SCHEMA = 3
"""The run folder's schema that this version writes: 2 has Fisher scores along a task, 3 has
settings per task and predictions. All earlier ones can be read, for they hold a part of what it
holds."""

RECORD_FISHER = (
    "record them with run_sequence(…, fisher_points=0) or fggm-lab run --fisher-points 0"
)
"""What to do about a run whose method keeps no Fisher scores."""

_RECORDED = ("fggm-lab", "torch", "transformers", "safetensors", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a run's numbers depend on."""
    found = {"python": platform.python_version()}
    for package in _RECORDED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


Value = TypeVar("Value", int, float)


def _shape(value: Any) -> str:
    """Which of the two forms of a setting per task this is, as a tag for pydantic."""
    return "@each" if isinstance(value, dict) else "@all"


_Epochs = Annotated[float, Field(gt=0)]
_Tokens = Annotated[int, Field(ge=1)]
Epochs = Annotated[
    Annotated[_Epochs, Tag("@all")] | Annotated[dict[str, _Epochs], Tag("@each")],
    Discriminator(_shape),
]
"""One number for all tasks, or one for each task's name."""
NewTokens = Annotated[
    Annotated[_Tokens | None, Tag("@all")] | Annotated[dict[str, _Tokens], Tag("@each")],
    Discriminator(_shape),
]
"""One number for all tasks, or numbers for some tasks' names; None: as many as can matter."""


class Branch(BaseModel):
    """The run a run continues, and the 0-based task after which it left that run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    task: int = Field(ge=0)


class RunConfig(BaseModel):
    """Everything needed to repeat a run.

    Attributes:
        model, model_fingerprint: what was loaded (a shipped name, a folder, a hub id), and the
            fingerprint of its weights before the first task.
        tasks, task_names, task_fingerprint: where the tasks came from, their order, and the
            fingerprint of their examples.
        data_fingerprint: that of the same examples whatever the order of the tasks, by which runs
            of several orders are known to share their data; None in runs of older versions.
        general: what General was measured on; None if it was not.
        general_choices: how its multiple-choice questions were answered; None if it has none.
        method, method_settings: the method's registered name and its own settings.
        epochs, batch_size, lr, schedule, weight_decay, clip, optimizer: the training of one task;
            `epochs` is one number or one for each task's name; `clip` is the largest gradient norm,
            None for no clipping.
        micro_batch: the most examples in one forward pass, None for the whole batch; gradients of a
            batch's parts add up to those of the batch.
        autocast, recompute: matrix products in bfloat16; activations computed anew in backward.
        max_length: the most tokens an example may have.
        limit: the most examples used of each split; None for all.
        score_limit: the most examples scored of each task and each skill of General; None for all.
        split: the split that is scored.
        max_new_tokens: the most tokens a scored answer may have, one number or one for a task's
            name; None, or no number for a task: as many as can matter to its score.
        code_execution: code tasks, and General's skills with tests, are scored by running
            programs, not by exact match of the text; False where there are none.
        points_per_task, probe: evaluations inside one task, and the examples per task each uses.
        fisher_points, fisher_examples: Fisher scores kept along one task (None: only those the
            method makes), and the training examples each uses (None: all).
        branch: the run this one continues, if any.
        schema_version, versions: of the run folder, and of packages; recorded, but no part of what
            was asked for.

    Raises:
        SettingError: a setting is unknown, missing or outside what it may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: int = Field(default=SCHEMA, ge=1)
    model: str
    model_fingerprint: str
    tasks: str
    task_names: list[str] = Field(min_length=1)
    task_fingerprint: str
    data_fingerprint: str | None = None
    general: str | None = None
    general_choices: str | None = None
    method: str
    method_settings: dict[str, JsonValue] = {}
    seed: int = Field(ge=0)
    epochs: Epochs
    batch_size: int = Field(ge=1)
    lr: float = Field(ge=0)
    schedule: str = "linear"
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float | None = Field(default=None, gt=0)
    max_length: int = Field(ge=1)
    limit: int | None = Field(default=None, ge=1)
    score_limit: int | None = Field(default=None, ge=1)
    split: Literal["test", "eval"] = "test"
    max_new_tokens: NewTokens = None
    code_execution: bool = False
    points_per_task: int = Field(default=12, ge=0)
    probe: int = Field(default=32, ge=0)
    fisher_points: int | None = Field(default=None, ge=0)
    fisher_examples: int | None = Field(default=128, ge=1)
    optimizer: str = "adamw"
    micro_batch: int | None = Field(default=None, ge=1)
    autocast: bool = False
    recompute: bool = False
    device: str = "cpu"
    dtype: str = "float32"
    branch: Branch | None = None
    versions: dict[str, str] = Field(default_factory=versions)

    @field_validator("method_settings", mode="after")
    @classmethod
    def _present_names(
        cls, settings: dict[str, JsonValue], info: ValidationInfo
    ) -> dict[str, JsonValue]:
        """Translate what a run of an earlier version calls by another name."""
        return stored_settings(info.data.get("method", ""), settings)

    @model_validator(mode="wrap")
    @classmethod
    def _in_one_sentence(
        cls, data: Any, handler: ModelWrapValidatorHandler["RunConfig"]
    ) -> "RunConfig":
        try:
            return handler(data)
        except ValidationError as error:
            first = error.errors()[0]
            parts = [str(part) for part in first["loc"] if not str(part).startswith("@")]
            name = ".".join(parts) or "the configuration"
            given = "" if first["type"] == "missing" else f" (it is {first['input']!r})"
            raise SettingError(
                f"setting {name}: {first['msg'].lower()}{given}; give it as RunConfig asks"
            ) from None

    @model_validator(mode="after")
    def _every_task_has_its_epochs(self) -> "RunConfig":
        if isinstance(self.epochs, dict):
            _check_names("epochs", self.epochs, self.task_names)
            if without := [name for name in self.task_names if name not in self.epochs]:
                raise SettingError(
                    f"epochs has no number for {', '.join(without)}; give one for every task, or "
                    "one number for all"
                )
        if isinstance(self.max_new_tokens, dict):
            _check_names("max_new_tokens", self.max_new_tokens, self.task_names)
        return self

    def epochs_of(self, task: str) -> float:
        """The epochs of a task by its name."""
        return self.epochs[task] if isinstance(self.epochs, dict) else self.epochs

    @property
    def mask_settings(self) -> MaskSettings | None:
        """Keep share and scope of the run's masks; None if its method has no keep share.

        Of combined methods the first one that has a keep share counts.
        """
        own = self.method_settings
        for settings in (own, *own.values()):
            if isinstance(settings, dict) and isinstance(keep := settings.get("keep"), int | float):
                scope = settings.get("scope", MaskSettings().scope)
                return MaskSettings(float(keep), check_scope(str(scope), stored=True))
        return None

    def settings(self) -> dict[str, JsonValue]:
        """All settings but the versions, flat: `method_settings.keep` for a method's own.

        `data_fingerprint` is left out, too: `task_fingerprint` says all that it says, and more.
        """
        left_out = {"schema_version", "versions", "data_fingerprint"}
        return _flat(self.model_dump(mode="json", exclude=left_out))

    def difference(self, other: "RunConfig") -> list[str]:
        """One line per setting in which `other` ("there") differs from this one ("here").

        Versions are left out; see `version_difference`.
        """
        return _lines(self.settings(), other.settings())

    def version_difference(self, other: "RunConfig") -> list[str]:
        """One line per package version in which `other` ("there") differs from this one."""
        return _lines(dict(self.versions), dict(other.versions))


def by_task(
    setting: str, values: Value | Sequence[Value] | Mapping[str, Value], tasks: Sequence[str]
) -> Value | dict[str, Value]:
    """A setting as `RunConfig` keeps it: one number, or a number by task name.

    Args:
        setting: its name, for the message.
        values: one number, one for each task in order, or numbers by task name.

    Raises:
        SettingError: the list is longer or shorter than the tasks are.
    """
    if isinstance(values, Mapping):
        return dict(values)
    if isinstance(values, Sequence):
        if len(values) != len(tasks):
            raise SettingError(
                f"{setting} has {len(values)} numbers for {len(tasks)} tasks "
                f"({', '.join(tasks)}); give one for each, or one number for all"
            )
        return dict(zip(tasks, values, strict=True))
    return values


def _check_names(setting: str, values: Mapping[str, object], tasks: Sequence[str]) -> None:
    for name in values:
        if name not in tasks:
            raise SettingError(
                f"{setting} names a task '{name}' that is not learned; there are: "
                f"{', '.join(tasks)}{nearest(name, tasks)}"
            )


_ABSENT = object()


def _flat(settings: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Nested objects as dotted names."""
    flat: dict[str, JsonValue] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def _lines(here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    def show(value: Any) -> str:
        return "not set" if value is _ABSENT or value is None else str(value)

    lines = []
    for name in [*here, *(name for name in there if name not in here)]:
        a, b = there.get(name, _ABSENT), here.get(name, _ABSENT)
        if a != b and show(a) != show(b):
            lines.append(f"{name}: {show(a)} there, {show(b)} here")
    return lines
