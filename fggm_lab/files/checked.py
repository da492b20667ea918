"""Checking what was parsed against the type that says which fields a record has."""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, cast, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model, with_config

from fggm_lab.errors import LabError

Kind = TypeVar("Kind")
"""A dataclass, a typed dictionary, or any other type that a JSON value can be of."""

_CONFIG = ConfigDict(strict=True, allow_inf_nan=False)

file_record = with_config(_CONFIG)
"""Decorator of a typed dictionary: its fields are taken as they are, and nothing is converted."""

closed_record = with_config(ConfigDict(**_CONFIG, extra="forbid"))
"""As `file_record`, and the dictionary has no other fields."""


def checked(kind: type[Kind], content: Any, refusal: Callable[[str], LabError]) -> Kind:
    """A value that was read from a file, as the type it has to be of.

    Nothing is converted: a number in quotes is no number. Fields that the type does not have may
    be those of a later version; a dataclass leaves them out.

    Args:
        kind: a dataclass, a typed dictionary with `file_record`, or another type.
        content: the value, made of what JSON has.
        refusal: makes the error, given which field is wrong and how.

    Returns:
        The value; of a dataclass an instance.

    Raises:
        LabError: `refusal`: a field is missing or of another type.
    """
    try:
        if is_dataclass(kind):
            return cast(Kind, _instance(kind, content))
        return cast(Kind, _adapter(cast(Any, kind)).validate_python(content))
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise refusal(f"{field or 'it'}: {first['msg'].lower()}") from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _instance(kind: Any, content: Any) -> Any:
    model = _model(kind).model_validate(content)
    return kind(**{field.name: getattr(model, field.name) for field in fields(kind)})


@cache
def _model(kind: Any) -> Any:
    """A pydantic model with the fields of a dataclass, for pydantic takes no object for one."""
    hints = get_type_hints(kind, include_extras=True)
    columns = {}
    for field in fields(kind):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        columns[field.name] = (hints[field.name], ... if default is MISSING else default)
    return create_model(kind.__name__, __config__=_CONFIG, **columns)  # type: ignore[call-overload]
