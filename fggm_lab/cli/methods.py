"""Which methods `--methods` names, and their settings from `--keep` and `--set`."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fggm_lab.errors import SettingError, nearest
from fggm_lab.plugins import split_setting

if TYPE_CHECKING:  # imports torch, which would slow every command's start
    from fggm_lab.methods import Method


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
    from fggm_lab.methods.registry import method_class

    settings: dict[str, dict[str, Any]] = {name: {} for name in names}

    def give(name: str, part: str, key: str, value: Any) -> None:
        of_method = settings[name].setdefault(part, {}) if PLUS in name else settings[name]
        of_method[key] = value

    for name in names if defaults else []:
        for part in name.split(PLUS):
            for key, value in (defaults or {}).get(part, {}).items():
                give(name, part, key, value)
    for name in names if keep is not None else []:
        for part in name.split(PLUS):
            if method_class(part).masks:
                give(name, part, "keep", keep)
    for pair in pairs:
        left, equals, value = pair.partition("=")
        split = split_setting(left)
        if not equals or split is None:
            raise SettingError(f"--set {pair}: write it as METHOD.SETTING=VALUE")
        method, key = split
        if method not in settings:
            joined = next((name for name in names if method in name.split(PLUS)), None)
            remedy = f"; write {joined}.{pair}" if joined else nearest(method, names)
            raise SettingError(
                f"--set {pair}: {method} is not among --methods {','.join(names)}{remedy}"
            )
        part = method
        if PLUS in method:
            split = split_setting(key)
            if split is None or split[0] not in method.split(PLUS):
                raise SettingError(
                    f"--set {pair}: write it as {method}.PART.SETTING=VALUE, PART being one of "
                    f"{', '.join(method.split(PLUS))}"
                )
            part, key = split
        give(method, part, key, _value(value))
    return settings


def _value(text: str) -> Any:
    """A setting's value: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:  # no JSON, or a number of more digits than Python reads
        return text
