"""Presets: defaults under every option given explicitly, each printed with its source."""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from typer.core import TyperCommand

from fggm_lab.cli.options import shown_settings
from fggm_lab.cli.words import written
from fggm_lab.errors import SettingError

if TYPE_CHECKING:  # imports every task, which would slow every command's start
    from fggm_lab.methods import Method
    from fggm_lab.settings import TrainingSettings
    from fggm_lab.training.presets import Choice

YOURS = "given"
"""The source of a setting that overrides the preset's."""


class PresetCommand(TyperCommand):
    """A command that may have a preset by default, whose defaults its help then shows."""

    def shown(self) -> TyperCommand:
        """The command as its help has it: a copy whose options default to the preset's choices."""
        command = copy(self)
        command.params = [copy(param) for param in self.params]
        by_name: dict[str | None, Any] = {param.name: param for param in command.params}
        preset = by_name["preset"].default if "preset" in by_name else None
        for name, value in preset_defaults(preset).items():
            param = by_name[name]
            param.default = value if isinstance(value, bool) else written(value)
            param.help, *_ = param.help.split(" [default: ")  # of a command without a preset
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of `shown`."""
        TyperCommand.format_help(self.shown(), ctx, formatter)


def choose_preset(context: typer.Context, name: str | None) -> str | None:
    """Make a preset's settings the defaults of a command; what is given explicitly overrides them.

    Args:
        context: of the command.
        name: of the preset, if one is chosen.

    Returns:
        The name, as typer asks of an option's callback.

    Raises:
        SettingError: there is no such preset.
    """
    if name is None or context.resilient_parsing:
        return name
    several = {p.name for p in context.command.params if getattr(p, "multiple", False)}
    context.default_map = {
        **(context.default_map or {}),
        **{
            key: [value] if key in several else value
            for key, value in preset_defaults(name).items()
        },
    }
    return name


def preset_defaults(name: str | None) -> dict[str, Any]:
    """The options that a preset chooses.

    Args:
        name: of the preset, if one is chosen.

    Returns:
        The option's name in Python → value; none without a preset.

    Raises:
        SettingError: there is no such preset.
    """
    if name is None:
        return {}
    from fggm_lab.training.presets import preset

    chosen = preset(name)
    return {
        **{name: choice.value for name, choice in chosen.options.items()},
        "methods": ",".join(chosen.options["methods"].value),
        **{
            name: getattr(chosen.settings, field_name)
            for name, (field_name, _, _) in shown_settings().items()
            if field_name in chosen.settings.model_fields_set
        },
    }


def check_general(name: str, general: str | None) -> None:
    """Ask for what a preset measures General on, which is not shipped.

    Args:
        name: of the preset.
        general: what `--general` names, if it is given.

    Raises:
        SettingError: it is not given.
    """
    from fggm_lab.training.presets import preset

    if general is None and preset(name).general:
        raise SettingError(
            f"--preset {name} measures General before and after every task, and its data is not "
            f"shipped; give --general FOLDER with a JSON file for each skill (the paper's: "
            f"{preset(name).general}), or --general none to leave it out"
        )


def preset_method_settings(name: str | None) -> dict[str, dict[str, Any]]:
    """The settings that a preset gives methods: method → setting → value; none without a preset."""
    if name is None:
        return {}
    from fggm_lab.training.presets import preset

    chosen = preset(name)
    return {method: chosen.method_settings(method) for method in chosen.of_methods}


def preset_table(
    name: str,
    values: Mapping[str, Any],
    settings: "TrainingSettings",
    methods: Sequence["Method"],
) -> Table:
    """Every choice of a preset with its source, as a rich table.

    Args:
        name: of the preset.
        values: what is used of the options that a preset may choose, `general` among them.
        settings: how it is trained.
        methods: what is trained.

    Returns:
        The table; what is used in place of the preset's is marked as `given`.
    """
    from fggm_lab.training.presets import preset

    chosen = preset(name)
    parts = [part for method in methods for part in getattr(method, "parts", (method,))]
    of_methods = {part.name: part.settings for part in parts}
    table = Table(
        title=f"preset {chosen.name}: {chosen.about}", box=SIMPLE_HEAD, padding=0, pad_edge=False
    )
    for heading in ("setting", "value", "source"):
        table.add_column(heading, overflow="fold")

    def add(name: str, choice: "Choice", value: Any) -> None:
        source = ": ".join(part for part in (choice.source, choice.reason) if part)
        table.add_row(name, _text(value), source if value == choice.value else YOURS)

    for name, choice in chosen.options.items():
        add(name, choice, values[name])
    if chosen.general:
        source = f"{YOURS}; the paper's: {chosen.general}"
        table.add_row("general", _text(values["general"]), source)
    for name, choice in chosen.training.items():
        add(name, choice, getattr(settings, name))
    for method, choices in chosen.of_methods.items():
        for name, choice in choices.items():
            if method in of_methods:
                add(f"{method}.{name}", choice, of_methods[method][name])
    table.caption = "\n".join(
        ("paper: FGGM's; TRACE: its released scripts; ours: neither says", *chosen.beyond)
    )
    return table


def _text(value: Any) -> str:
    """A setting's value as one writes it on the command line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={number:g}" for name, number in value.items())
    if isinstance(value, tuple):
        return ",".join(value)
    return (
        f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
