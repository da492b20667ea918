"""Presets: defaults under every option given explicitly."""

import typer

from fggm_lab.cli.options import shown_settings


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
    from fggm_lab.training.presets import preset

    chosen = preset(name)
    values = {
        "model": chosen.model,
        "order": chosen.order,
        "methods": ",".join(chosen.methods),
        "keep": chosen.keep,
        **{
            name: getattr(chosen.settings, field_name)
            for name, (field_name, _, _) in shown_settings().items()
            if field_name in chosen.settings.model_fields_set
        },
    }
    several = {p.name for p in context.command.params if getattr(p, "multiple", False)}
    context.default_map = {
        **(context.default_map or {}),
        **{key: [value] if key in several else value for key, value in values.items()},
    }
    return name
