"""Which methods `--methods` names, and their settings from `--keep` and `--set`."""

import json
from typing import Any

from fggm_lab.errors import SettingError, nearest


def method_names(text: str) -> list[str]:
    """The names in a comma-separated list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def method_settings(
    names: list[str], keep: float | None, pairs: list[str]
) -> dict[str, dict[str, Any]]:
    """The settings of each method, from `--keep` and from every `--set`."""
    from fggm_lab.methods import METHODS, PLUS

    settings: dict[str, dict[str, Any]] = {name: {} for name in names}

    def give(name: str, part: str, key: str, value: Any) -> None:
        own = settings[name].setdefault(part, {}) if PLUS in name else settings[name]
        own[key] = value

    for name in names if keep is not None else []:
        for part in name.split(PLUS):
            if part in METHODS and METHODS[part].masks:
                give(name, part, "keep", keep)
    for pair in pairs:
        left, equals, value = pair.partition("=")
        method, dot, key = left.partition(".")
        if not (equals and dot):
            raise SettingError(f"--set {pair}: write it as METHOD.SETTING=VALUE")
        if method not in settings:
            joined = next((name for name in names if method in name.split(PLUS)), None)
            remedy = f"; write {joined}.{pair}" if joined else nearest(method, names)
            raise SettingError(
                f"--set {pair}: {method} is not among --methods {','.join(names)}{remedy}"
            )
        part = method
        if PLUS in method:
            part, dot, key = key.partition(".")
            if not dot or part not in method.split(PLUS):
                raise SettingError(
                    f"--set {pair}: write it as {method}.PART.SETTING=VALUE, PART being one of "
                    f"{', '.join(method.split(PLUS))}"
                )
        give(method, part, key, _value(value))
    return settings


def _value(text: str) -> Any:
    """A setting's value: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
