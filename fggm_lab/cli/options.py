"""The options of commands: those of `TrainingSettings`, and those that commands share."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, TypeVar, get_args

import typer
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from fggm_lab.deprecation import warn_renamed
from fggm_lab.errors import SettingError, shortened
from fggm_lab.settings import (
    Option,
    TrainingSettings,
    allowed_values,
    is_per_task,
    number_type,
    option_of,
    takes_none,
)

METHODS, RUN_FOLDER = "Methods", "Run folder"
"""Headings under which the help lists options, beside those of settings."""

Command = TypeVar("Command", bound=Callable[..., Any])


def shown_settings(
    record: type[TrainingSettings] = TrainingSettings,
) -> dict[str, tuple[str, FieldInfo, Option]]:
    """The settings that are options: the option's name in Python → field name, field, option."""
    described = ((name, field, option_of(field)) for name, field in record.model_fields.items())
    return {
        option.name or name: (name, field, option)
        for name, field, option in described
        if option.shown
    }


def training_options(
    record: type[TrainingSettings] = TrainingSettings,
) -> Callable[[Command], Command]:
    """Give a command an option for each training setting; they arrive as its `**training`.

    Args:
        record: the settings; one with a field more has an option more.

    Returns:
        A decorator of the command.
    """
    parameters: dict[str, inspect.Parameter] = {}
    for name, (field_name, field, option) in shown_settings(record).items():
        parameters[name] = _parameter(record, name, field_name, field, option)
        if option.formerly is not None:
            parameters[option.formerly] = _former_parameter(option.formerly, name)
    return _with_parameters(parameters)


def settings_from(
    options: Mapping[str, Any], record: type[TrainingSettings] = TrainingSettings
) -> TrainingSettings:
    """The record of training settings from a command's options.

    Args:
        options: option name → value, as a command has them or as their text.
        record: the settings.

    Returns:
        The settings; those without an option, or whose option was not given, have their default.

    Raises:
        SettingError: a value is outside what the setting may be.
    """
    values = {}
    for name, (field_name, _, option) in shown_settings(record).items():
        value = options.get(name)
        if option.formerly is not None and options.get(option.formerly) is not None:
            value = options[option.formerly]
        if value is not None or name in options:
            values[field_name] = read_setting(
                record, field_name, value, f"{option_flag(name)} {value}"
            )
    return record(**values)


def read_setting(record: type[TrainingSettings], field_name: str, value: Any, written: str) -> Any:
    """A setting's value from the text of a command line; checked as the record checks it.

    Args:
        record: whose field it is.
        field_name: the field.
        value: such as `1e-4`, `none`, `5,3,7` or `FOMC=3,Py150=5`; what is no text is only checked.
        written: what was written, for the message, such as `--clip 0`.

    Returns:
        The value as the record keeps it.

    Raises:
        SettingError: it is outside what the setting may be; the sentence begins with `written`.
    """
    field = record.model_fields[field_name]
    if isinstance(value, str):
        if takes_none(field) and value.strip().lower() == "none":
            return None
        if is_per_task(field):
            value = numbers(value, number_type(field), written)
    try:
        return _adapter(record, field_name).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        # Of a wrong word pydantic lists the right ones, as does what follows.
        reason = "no such choice" if first["type"] == "literal_error" else first["msg"].lower()
        raise SettingError(
            f"{shortened(written)}: {reason}; write {allowed_values(field)}"
        ) from None


def numbers(
    text: str, kind: type[int] | type[float], written: str
) -> float | list[float] | dict[str, float]:
    """One number, one for each task in order, or numbers by task name.

    Args:
        text: such as `5`, `5,3,7` or `FOMC=3,Py150=5`.
        kind: of the numbers.
        written: what was written, for the message, such as `--epochs many`.

    Returns:
        A number, a list, or task name → number.

    Raises:
        SettingError: it is written in another way.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        if parts and all("=" in part for part in parts):
            pairs = [part.rpartition("=") for part in parts]
            return {name.strip(): kind(number) for name, _, number in pairs}
        in_order = [kind(part) for part in parts]
    except ValueError:
        in_order = []
    if not in_order:
        example = 512 if kind is int else 5
        raise SettingError(
            f"{shortened(written)}: write a number ({example}), one for each task in order "
            f"({example},3), or numbers by task name (FOMC={example},Py150=3)"
        )
    return in_order[0] if len(in_order) == 1 else list(in_order)


def options_of(
    function: Callable[..., Any], without: Sequence[str] = ()
) -> Callable[[Command], Command]:
    """Give a command the options of a function beside its own; they arrive as its `**options`.

    Args:
        function: annotated as typer asks.
        without: its parameters that the command does not take.

    Returns:
        A decorator of the command.
    """
    parameters = inspect.signature(function, eval_str=True).parameters
    return _with_parameters({n: p for n, p in parameters.items() if n not in without})


def _with_parameters(shared: Mapping[str, inspect.Parameter]) -> Callable[[Command], Command]:
    """Put parameters, as typer asks for them, in the place of a command's `**` parameter."""

    def decorate(command: Command) -> Command:
        declared = inspect.signature(command, eval_str=True).parameters
        named = {n: p for n, p in declared.items() if p.kind is not inspect.Parameter.VAR_KEYWORD}
        more = {n: p for n, p in shared.items() if n not in named}
        keyword = inspect.Parameter.KEYWORD_ONLY  # a default before one without is allowed here
        parameters = [p.replace(kind=keyword) for p in (named | more).values()]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        return command

    return decorate


def option_flag(name: str) -> str:
    """An option on the command line by its name in Python: `set_` → `--set`."""
    return "--" + name.rstrip("_").replace("_", "-")


def _parameter(
    record: type[TrainingSettings], name: str, field_name: str, field: FieldInfo, option: Option
) -> inspect.Parameter:
    """A training setting as a parameter of a command, as typer asks for it."""
    flag, description = option_flag(name), field.description or ""
    default = field.default
    if default is None and option.default is not None:
        description += f" [default: {option.default}]"
    if field.annotation is bool:
        switch = f"{flag}/--no-{flag[2:]}"
        shown = typer.Option(switch, help=description, rich_help_panel=option.panel)
        return _keyword(name, default, Annotated[bool, shown])

    def parse(value: Any) -> Any:
        return read_setting(record, field_name, value, f"{flag} {value}")

    shown = typer.Option(
        flag, help=description, parser=parse, metavar=_metavar(field), rich_help_panel=option.panel
    )
    return _keyword(name, default, Annotated[str, shown])


def _former_parameter(former: str, name: str) -> inspect.Parameter:
    """The former name of a switch: not in the help, and accepted with a warning."""
    flag = option_flag(former)

    def warn(value: bool | None) -> bool | None:
        if value is not None:
            warn_renamed(flag, option_flag(name))
        return value

    shown = typer.Option(f"{flag}/--no-{flag[2:]}", hidden=True, callback=warn)
    return _keyword(former, None, Annotated[bool | None, shown])


def _keyword(name: str, default: Any, annotation: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)


def _metavar(field: FieldInfo) -> str:
    """What the help shows in the place of a value: `<float>`, `linear|constant`."""
    choices = [argument for argument in get_args(field.annotation) if isinstance(argument, str)]
    if choices:
        return "|".join(choices)
    kind = f"<{number_type(field).__name__}>"
    return f"{kind},…" if is_per_task(field) else kind


@cache
def _adapter(record: type[TrainingSettings], field_name: str) -> TypeAdapter[Any]:
    """What checks a single value as the record checks its field."""
    field = record.model_fields[field_name]
    annotation: Any = field.annotation
    checked = Annotated[annotation, field]
    return TypeAdapter(checked, config=ConfigDict(allow_inf_nan=False))
