"""Which methods `--methods` names, and their settings from `--keep` and `--set`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fggm_lab.errors import SettingError, nearest
from fggm_lab.plugins import split_setting

if TYPE_CHECKING:  # imports torch, which would slow every command's start
    from fggm_lab.methods import Method


class MethodSetting(NamedTuple):
    """One setting of a method: the method's name, its part that has the setting, key and value."""

    name: str
    part: str
    key: str
    value: Any


def method_names(text: str) -> list[str]:
    """The names in a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def make_methods(names: Sequence[str], settings: dict[str, dict[str, Any]]) -> "dict[str, Method]":
    """Make methods that can be trained side by side, each in a folder of its name.

    Args:
        names: as `--methods` has them.
        settings: of each, as `method_settings` gives them.

    Returns:
        Name as it was written → method.

    Raises:
        SettingError: a name or a setting is wrong, or two methods have the same name.
    """
    from fggm_lab.methods import make_method

    methods: dict[str, Method] = {}
    for name in names:
        method = make_method(name, **settings[name])
        for other, earlier in methods.items():
            if earlier.name == method.name and other != name:
                raise SettingError(
                    f"--methods: {other} and {name} are both called '{method.name}', which names "
                    "their run folders; give one of the classes another name"
                )
        methods[name] = method
    return methods


def method_settings(
    names: list[str],
    keep: float | None,
    pairs: list[str],
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, dict[str, Any]]:
    """Read the settings of each method from `--keep` and from every `--set`.

    Args:
        names: as `--methods` has them.
        keep: `--keep`.
        pairs: every `--set`.
        defaults: method → its settings where neither says otherwise, as a preset has them.

    Returns:
        Name → settings as `make_method` takes them.

    Raises:
        SettingError: a `--set` has another form, or names another method.
    """
    from fggm_lab.methods import PLUS

    chosen = [
        *_from_preset(names, defaults or {}),
        *_from_keep(names, keep),
        *(_from_pair(pair, names) for pair in pairs),
    ]
    settings: dict[str, dict[str, Any]] = {name: {} for name in names}
    for name, part, key, value in chosen:
        of_part = settings[name].setdefault(part, {}) if PLUS in name else settings[name]
        of_part[key] = value
    return settings


def _from_preset(
    names: Sequence[str], defaults: Mapping[str, Mapping[str, Any]]
) -> Iterator[MethodSetting]:
    """What a preset sets of each method and of each part of a combined one."""
    from fggm_lab.methods import PLUS

    for name in names:
        for part in name.split(PLUS):
            for key, value in defaults.get(part, {}).items():
                yield MethodSetting(name, part, key, value)


def _from_keep(names: Sequence[str], keep: float | None) -> Iterator[MethodSetting]:
    """`--keep`, of every method and part that masks."""
    from fggm_lab.methods import PLUS
    from fggm_lab.methods.registry import method_class

    for name in names if keep is not None else ():
        for part in name.split(PLUS):
            if method_class(part).masks:
                yield MethodSetting(name, part, "keep", keep)


def _from_pair(pair: str, names: Sequence[str]) -> MethodSetting:
    """A `--set METHOD.SETTING=VALUE`, or METHOD.PART.SETTING of a combined method."""
    from fggm_lab.methods import PLUS

    setting, equals, value = pair.partition("=")
    split = split_setting(setting)
    if not equals or split is None:
        raise SettingError(f"--set {pair}: write it as METHOD.SETTING=VALUE")
    name, key = split
    if name not in names:
        combined = next((other for other in names if name in other.split(PLUS)), None)
        remedy = f"; write {combined}.{pair}" if combined else nearest(name, names)
        raise SettingError(f"--set {pair}: {name} is not among --methods {','.join(names)}{remedy}")
    if PLUS not in name:
        return MethodSetting(name, name, key, _value(value))
    split, parts = split_setting(key), name.split(PLUS)
    if split is None or split[0] not in parts:
        raise SettingError(
            f"--set {pair}: write it as {name}.PART.SETTING=VALUE, PART being one of "
            f"{', '.join(parts)}"
        )
    return MethodSetting(name, *split, _value(value))


def _value(text: str) -> Any:
    """A setting's value: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:  # no JSON, or a number of more digits than Python reads
        return text
