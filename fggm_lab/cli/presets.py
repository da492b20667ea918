"""Options with a number per task, and presets: defaults under every option given explicitly."""

from collections.abc import Collection
from typing import Any, TypeVar

import typer

from fggm_lab.errors import SettingError

Number = TypeVar("Number", int, float)


def numbers(
    option: str, text: str, tasks: Collection[str], kind: type[Number]
) -> Number | list[Number] | dict[str, Number]:
    """An option's value: one number, one for each task in order, or numbers by task name.

    Numbers of TRACE's tasks that are not learned are passed over, so that one list serves every
    subset of them.

    Args:
        option: its name, for the message.
        text: such as `5`, `5,3,7` or `FOMC=3,Py150=5`.
        tasks: the names of the tasks that are learned.
        kind: of the numbers.

    Raises:
        SettingError: it is written in another way.
    """
    from fggm_lab.tasks import TRACE_ORDER

    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        if parts and all("=" in part for part in parts):
            pairs = [part.rpartition("=") for part in parts]
            named = {name.strip(): kind(number) for name, _, number in pairs}
            return {n: v for n, v in named.items() if n in tasks or n not in TRACE_ORDER}
        found = [kind(part) for part in parts]
    except ValueError:
        found = []
    if not found:
        example = 512 if kind is int else 5
        raise SettingError(
            f"{option} {text}: write a number ({example}), one for each task in order "
            f"({example},3), or numbers by task name (FOMC={example},Py150=3)"
        )
    return found[0] if len(found) == 1 else found


def choose_preset(context: typer.Context, name: str | None) -> str | None:
    """Make a preset's settings the defaults of a command; what is given explicitly overrides them.

    Raises:
        SettingError: there is no such preset.
    """
    if name is None or context.resilient_parsing:
        return name
    from fggm_lab.training.presets import preset

    chosen = preset(name)
    values = {
        "model": chosen.model,
        "order": chosen.order,
        "methods": ",".join(chosen.methods),
        "keep": chosen.keep,
        **{key: _as_text(value) for key, value in chosen.settings.items()},
    }
    several = {p.name for p in context.command.params if getattr(p, "multiple", False)}
    context.default_map = {
        **(context.default_map or {}),
        **{key: [value] if key in several else value for key, value in values.items()},
    }
    return name


def _as_text(value: Any) -> Any:
    """Numbers by task name as the command line takes them."""
    if isinstance(value, dict):
        return ",".join(f"{name}={number:g}" for name, number in value.items())
    return value
