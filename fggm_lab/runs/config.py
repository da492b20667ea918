"""The complete, validated settings of one run, and how two settings differ."""

import platform
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler
from typing_extensions import Self

from fggm_lab.deprecation import stored_settings
from fggm_lab.errors import SettingError
from fggm_lab.mask_settings import MaskSettings, check_scope
from fggm_lab.settings import (
    TrainingSettings,
    check_every_task,
    check_names,
    dotted,
    former_names,
)

SCHEMA = 4
"""The run folder's schema that this version writes: 2 has Fisher scores along a task, 3 has
settings per task and predictions, 4 has digests. All earlier ones can be read, for they hold a part
of what it holds."""

DIGESTS_SINCE = 4
"""The first schema in which every record and every line of the log ends with its digest."""

RECORD_FISHER = (
    "record them with run_sequence(…, fisher_points=0) or fggm-lab run --fisher-points 0"
)
"""What to do about a run whose method keeps no Fisher scores."""

_RECORDED = ("fggm-lab", "torch", "transformers", "safetensors", "numpy")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages a run's numbers depend on."""
    numbers = {"python": platform.python_version()}
    for package in _RECORDED:
        try:
            numbers[package] = version(package)
        except PackageNotFoundError:
            continue
    return numbers


class Branch(BaseModel):
    """Where a run left the run that it continues.

    Attributes:
        run: the folder of that run.
        task: the position of the task after which it left that run, from 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    task: int = Field(ge=0)


class RunConfig(BaseModel):
    """Everything needed to repeat a run.

    In `config.json` the training settings stand beside the others, not in an object of their own,
    and `RunConfig(…)` takes them so, too. `config.lr` is short for `config.training.lr`.

    Attributes:
        model, model_fingerprint: what was loaded (a shipped name, a folder, a hub id), and the
            fingerprint of its weights before the first task.
        tokenizer_fingerprint: that of its tokenizer; None in runs of older versions.
        tasks, task_names, task_fingerprint: where the tasks came from, their order, and the
            fingerprint of their examples.
        data_fingerprint: that of the same examples whatever the order of the tasks, by which runs
            of several orders are known to share their data; None in runs of older versions.
        general, general_fingerprint: what General was measured on, None if it was not; and the
            fingerprint of its content, None in runs of older versions, too.
        general_choices: how its multiple-choice questions were answered; None if it has none.
        method, method_settings: the method's registered name and its own settings.
        method_classes: where methods that are not the lab's own are defined, name → `module:Class`;
            recorded for the reader, and never imported from here.
        training: how each task was trained and what was measured, with a number for every task
            where tasks differ, and with the tokens per example (`max_length`) that were used.
        code_execution: code tasks, and General's skills with tests, are scored by running
            programs, not by exact match of the text; False where there are none.
        device, dtype: what the model was trained on and in, such as `cuda` and `float32`.
        branch: the run this one continues, if any.
        preset: the name of the preset whose settings were the defaults; None if none was used. The
            settings are recorded as they were trained with, whatever the preset says.
        processor, threads: what it was trained on, such as `NVIDIA H200`, and torch's threads; None
            in runs of older versions. The same seed gives the same numbers only where both are the
            same.
        attention: transformers' name of the attention's kernels, such as `sdpa`, by which numbers
            differ in rounding; None where the model does not say, and in runs of older versions.
        schema_version, versions: of the run folder, and of packages. These, the preset, processor,
            threads and attention are recorded, but no part of what was asked for.

    Raises:
        SettingError: a setting is unknown, missing or outside what it may be.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    schema_version: int = Field(default=SCHEMA, ge=1)
    model: str
    model_fingerprint: str
    tokenizer_fingerprint: str | None = None
    tasks: str
    task_names: list[str] = Field(min_length=1)
    task_fingerprint: str
    data_fingerprint: str | None = None
    general: str | None = None
    general_fingerprint: str | None = None
    general_choices: str | None = None
    method: str
    method_settings: dict[str, JsonValue] = {}
    method_classes: dict[str, str] = {}
    training: TrainingSettings
    code_execution: bool = False
    device: str = "cpu"
    dtype: str = "float32"
    branch: Branch | None = None
    preset: str | None = None
    processor: str | None = None
    threads: int | None = None
    attention: str | None = None
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
    def _in_one_sentence(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(_nested(data) if isinstance(data, dict) else data)
        except ValidationError as error:
            first = error.errors()[0]
            input_text = "" if first["type"] == "missing" else f" (it is {first['input']!r})"
            raise SettingError(
                f"setting {dotted(first) or 'of a run'}: {first['msg'].lower()}{input_text}"
            ) from None

    @model_validator(mode="after")
    def _is_resolved(self) -> Self:
        """Every number is known that depends on the tasks or the model."""
        for name in ("epochs", "until_loss", "max_new_tokens"):
            numbers = getattr(self.training, name)
            if isinstance(numbers, list | tuple):
                raise SettingError(
                    f"setting {name}: a run has one number, or numbers by task name (it is "
                    f"{numbers!r})"
                )
            if isinstance(numbers, dict):
                check_names(name, numbers, self.task_names)
        check_every_task(self.training.epochs, self.task_names)
        if self.training.max_length is None:
            raise SettingError("setting max_length: field required")
        return self

    @model_serializer(mode="wrap")
    def _flat_on_disk(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        formerly = {now: former for former, now in former_names().items()}
        flat: dict[str, Any] = {}
        for name, value in handler(self).items():
            if name == "training":
                flat |= {formerly.get(key, key): inner for key, inner in value.items()}
            elif name not in ("method_classes", "preset") or value:
                flat[name] = value
        return flat

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A training setting under the name that it has beside the others in config.json."""
            if name.startswith("_") or name == "training":
                return super().__getattr__(name)
            return getattr(self.training, former_names().get(name, name))

    @property
    def max_length(self) -> int:
        """The most tokens an example may have."""
        assert self.training.max_length is not None  # so says `_is_resolved`
        return self.training.max_length

    @property
    def max_new_tokens(self) -> int | Mapping[str, int] | None:
        """The most tokens of a scored answer: one number, or by task name."""
        numbers = self.training.max_new_tokens
        assert not isinstance(numbers, Sequence)  # so says `_is_resolved`
        return numbers

    @property
    def mask_settings(self) -> MaskSettings | None:
        """Keep share and scope of the run's masks; None if its method has no keep share.

        Of combined methods the first one that has a keep share counts.
        """
        masking = self._masking_settings()
        if masking is None:
            return None
        scope = masking.get("scope", MaskSettings().scope)
        return MaskSettings(float(masking["keep"]), check_scope(str(scope), stored=True))

    @property
    def first_task_masked(self) -> bool | None:
        """Whether the run's method masks the first task, too; None if it masks none."""
        masked = (self._masking_settings() or {}).get("first_task")
        return masked if isinstance(masked, bool) else None

    def _masking_settings(self) -> dict[str, Any] | None:
        """The settings of the method, or of the first combined one, that has a keep share."""
        for settings in (self.method_settings, *self.method_settings.values()):
            keep = settings.get("keep") if isinstance(settings, dict) else None
            if isinstance(keep, int | float) and 0 <= keep <= 1:  # else it is no share
                assert isinstance(settings, dict)
                return dict(settings)
        return None

    def settings(self) -> dict[str, JsonValue]:
        """All settings but what is only recorded, flat: `method_settings.keep` for a method's own.

        `data_fingerprint` is left out, too: `task_fingerprint` says all that it says, and more. So
        are `method_classes`: moving a class to another module does not make it another method.

        Returns:
            Setting → its value, JSON-able.
        """
        left_out = {"data_fingerprint", "method_classes", *_ONLY_RECORDED}
        now = former_names()
        stored = self.model_dump(mode="json", exclude=left_out)
        return _flat({now.get(name, name): value for name, value in stored.items()})

    def difference(self, other: "RunConfig", fields: Collection[str] | None = None) -> list[str]:
        """One line per setting in which `other` ("there") differs from this one ("here").

        Model, tasks and General are compared by their content, wherever they were loaded from (see
        `renamed`); by name only where an older version recorded no fingerprint. A branch is
        compared by its task, for the folder of the run that it left may have been moved. What is
        only recorded is left out; of versions see `version_difference`.

        Args:
            other: another run's configuration.
            fields: the only ones to compare; None: all.

        Returns:
            The lines; empty where all settings are the same.
        """
        settings, others = self.settings(), other.settings()
        if self.branch is not None and other.branch is not None:
            settings["branch.run"] = others["branch.run"]
        for fingerprint, name in _CONTENT.items():
            if None in (settings[fingerprint], others[fingerprint]):
                settings[fingerprint] = others[fingerprint] = None  # one of them is not known
            elif name is not None and settings[fingerprint] == others[fingerprint]:
                settings[name] = others[name]
        if fields is not None:
            settings, others = (_only(fields, values) for values in (settings, others))
        return _lines(settings, others)

    def renamed(self, other: "RunConfig") -> dict[str, tuple[str, str]]:
        """What has the same content in `other`, and was loaded from elsewhere.

        Args:
            other: another run's configuration.

        Returns:
            `model`, `tasks`, `general` → its name there and here.
        """
        return {
            name: (str(getattr(other, name)), str(getattr(self, name)))
            for fingerprint, name in _CONTENT.items()
            if name is not None
            and getattr(self, name) != getattr(other, name)
            and getattr(self, fingerprint) is not None
            and getattr(self, fingerprint) == getattr(other, fingerprint)
        }

    def version_difference(self, other: "RunConfig") -> list[str]:
        """One line per package version in which `other` ("there") differs from this one."""
        return _lines(dict(self.versions), dict(other.versions))


_ONLY_RECORDED = ("schema_version", "versions", "preset", "processor", "threads", "attention")
"""Fields that say how a run came about and are no setting of it."""

_CONTENT = {
    "model_fingerprint": "model",
    "tokenizer_fingerprint": None,
    "task_fingerprint": "tasks",
    "general_fingerprint": "general",
}
"""What a run is made of: the field that knows its content → the field that names it."""

_ALWAYS = ("seed", "epochs", "batch_size", "lr")
"""Training settings that every configuration names, for a run's record has no defaults."""


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """A configuration as config.json holds it, with the training settings as one record."""
    if "training" in flat:
        return flat
    now = former_names()
    named = {now.get(name, name): value for name, value in flat.items()}
    training = {name: named.pop(name) for name in TrainingSettings.model_fields if name in named}
    if "model" in flat and (missing := [name for name in _ALWAYS if name not in training]):
        raise SettingError(f"setting {missing[0]}: field required")
    return named | {"training": TrainingSettings(**training)}


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


def _only(fields: Collection[str], flat: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Those of flat settings that belong to some fields, `max_new_tokens.FOMC` to one of them."""
    return {name: value for name, value in flat.items() if name.partition(".")[0] in fields}


def _lines(own_settings: dict[str, Any], other_settings: dict[str, Any]) -> list[str]:
    def show(value: Any) -> str:
        return "not set" if value is _ABSENT or value is None else str(value)

    lines = []
    for name in [*own_settings, *(name for name in other_settings if name not in own_settings)]:
        a, b = other_settings.get(name, _ABSENT), own_settings.get(name, _ABSENT)
        if a != b and show(a) != show(b):
            lines.append(f"{name}: {show(a)} there, {show(b)} here")
    return lines
