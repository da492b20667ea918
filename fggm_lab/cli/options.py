"""Commands that share their options."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Command = TypeVar("Command", bound=Callable[..., Any])


def options_of(
    function: Callable[..., Any], without: Sequence[str] = ()
) -> Callable[[Command], Command]:
    """Give a command the options of a function beside its own; they arrive as its `**options`.

    Args:
        function: annotated as typer asks.
        without: its parameters that the command does not take.
    """

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True).parameters
        named = {n: p for n, p in own.items() if p.kind is not inspect.Parameter.VAR_KEYWORD}
        shared = {
            name: parameter
            for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
            if name not in without and name not in named
        }
        keyword = inspect.Parameter.KEYWORD_ONLY  # a default before one without is allowed here
        parameters = [p.replace(kind=keyword) for p in (named | shared).values()]
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        return command

    return decorate
