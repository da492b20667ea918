"""The command line that gives a command its options."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from fggm_lab.cli.options import option_flag


def words(
    function: Callable[..., Any], options: Mapping[str, Any], defaults: Mapping[str, Any]
) -> list[str]:
    """The words with which a command gets options, those that are its defaults left out.

    Args:
        function: annotated as typer asks, as the command is.
        options: name in Python → value.
        defaults: those that are not the function's, such as a preset's.

    Returns:
        The words after the command's name, each one argument of a program.
    """
    parameters = inspect.signature(function).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()} | {**defaults}
    return [
        word
        for name, value in options.items()
        if name in parameters and value != defaults[name]
        for word in _option(option_flag(name), value)
    ]


def _option(name: str, value: Any) -> list[str]:
    """An option and its value; a repeatable one as often as it has values."""
    if isinstance(value, bool):
        return [name if value else f"--no-{name[2:]}"]
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return [word for part in value for word in (name, part)]
    return [name, written(value)]


def written(value: Any) -> str:
    """A value as one writes it: `none`, `5,3` for each task, `FOMC=3,Py150=5` by name."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return ",".join(f"{key}={inner}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)
