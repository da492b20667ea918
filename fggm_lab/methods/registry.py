"""Methods by name: the lab's own, those that installed packages register, and a user's own."""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from fggm_lab.deprecation import RENAMED_SETTINGS, warn_renamed
from fggm_lab.distributed import world_size
from fggm_lab.errors import SettingError, nearest
from fggm_lab.methods.base import Method
from fggm_lab.methods.compose import PLUS, Composed
from fggm_lab.methods.cpo import CPO
from fggm_lab.methods.eaft import EAFT
from fggm_lab.methods.ewc import EWC
from fggm_lab.methods.fapm import FAPM
from fggm_lab.methods.fggm import FGGM
from fggm_lab.methods.fggm_online import FGGMOnline
from fggm_lab.methods.finch import FINCH
from fggm_lab.methods.joint import Joint
from fggm_lab.methods.l2 import L2
from fggm_lab.methods.lora import LoRA
from fggm_lab.methods.lwf import LwF
from fggm_lab.methods.magnitude import Magnitude
from fggm_lab.methods.migu import MIGU
from fggm_lab.methods.mofo import MoFO
from fggm_lab.methods.olora import OLoRA
from fggm_lab.methods.online_ewc import OnlineEWC
from fggm_lab.methods.osf import OSF
from fggm_lab.methods.own_samples import Contrast, Protect
from fggm_lab.methods.random_mask import RandomMask
from fggm_lab.methods.replay import Replay
from fggm_lab.methods.self_kl import SelfKL
from fggm_lab.methods.self_replay import SelfReplay
from fggm_lab.methods.sfa import SFA
from fggm_lab.methods.sft import SFT
from fggm_lab.methods.shira import SHiRA
from fggm_lab.methods.untrained import Untrained
from fggm_lab.methods.wise import WiSE
from fggm_lab.plugins import METHODS_GROUP, entry_points, is_reference, look_up

METHODS: dict[str, type[Method]] = {
    method.name: method
    for method in (
        SFT,
        MIGU,
        FGGM,
        RandomMask,
        FGGMOnline,
        Protect,
        Contrast,
        SelfKL,
        Magnitude,
        MoFO,
        EWC,
        OnlineEWC,
        L2,
        CPO,
        LwF,
        EAFT,
        FINCH,
        WiSE,
        SFA,
        FAPM,
        Replay,
        SelfReplay,
        LoRA,
        OLoRA,
        SHiRA,
        OSF,
        Joint,
        Untrained,
    )
}
"""Every method of the lab by the name the command line uses."""


def make_method(name: str, **settings: Any) -> Method:
    """Make a method by name, or several by names joined with a plus.

    Examples: `make_method("lora+fggm", fggm={"keep": 0.2})`, `make_method("mymodule:MyMethod")`

    Args:
        name: a key of `METHODS`, a name that an installed package registers (entry points of group
            `fggm_lab.methods`), a class of your own as `module:Class`, or several of these with a
            plus between them.
        settings: the method's own settings; for several methods, a dictionary of settings under
            each one's name.

    Returns:
        The method, a `Composed` if there are several.

    Raises:
        SettingError: there is no such method or setting, or the methods exclude each other.
    """
    if PLUS in name:
        return _make_composed(name, settings)
    method = method_class(name)
    types = {f.name: f.type for f in fields(method) if f.init}
    for old, new in RENAMED_SETTINGS.get(method.name, {}).items():
        if old in settings:
            warn_renamed(f"{name}.{old}", f"{name}.{new}")
            settings.setdefault(new, settings.pop(old))
    for setting, value in settings.items():
        if setting not in types:
            settings_there = f"it has: {', '.join(types)}" if types else "it has none"
            raise SettingError(
                f"{name} has no setting '{setting}'; {settings_there}"
                f"{nearest(setting, list(types))}"
            )
        # Any text but the empty one would count as true.
        if types[setting] in (bool, "bool") and not isinstance(value, bool):
            raise SettingError(f"{name}.{setting} is '{value}'; it must be true or false")
    return method(**settings)


def as_method(method: Method | str) -> Method:
    """The method itself, or the one of that name with its default settings.

    Args:
        method: a method, or a name as `make_method` takes it.

    Returns:
        The method.

    Raises:
        SettingError: it is neither, or there is no method of that name.
    """
    if isinstance(method, Method):
        return method
    if isinstance(method, str):
        return make_method(method)
    if isinstance(method, type) and issubclass(method, Method):
        raise SettingError(f"the method is a class; give an instance of it, {method.__name__}()")
    raise SettingError(
        f"the method is {type(method).__name__} {method!r}; give a Method, or a name such as 'fggm'"
    )


def method_class(name: str) -> type[Method]:
    """The class of one method.

    Args:
        name: a key of `METHODS`, the name of an entry point, or `module:Class`.

    Returns:
        The class. One that is not the lab's own is imported.

    Raises:
        SettingError: there is no such class, it is no subclass of `Method`, or its `name` cannot be
            used.
    """
    method = look_up("method", name, METHODS, METHODS_GROUP)
    if method is METHODS.get(name):
        return METHODS[name]
    if not (isinstance(method, type) and issubclass(method, Method)):
        raise SettingError(f"{name} is not a method: no subclass of fggm_lab.methods.Method")
    _check_own_name(method, name)
    return method


def class_references(method: Method) -> dict[str, str]:
    """Where methods that are not the lab's own are defined.

    Args:
        method: a method, or a combination.

    Returns:
        Name → `module:Class`, of each part that is not the lab's own.
    """
    parts = method.parts if isinstance(method, Composed) else (method,)
    return {
        part.name: f"{type(part).__module__}:{type(part).__qualname__}"
        for part in parts
        if METHODS.get(part.name) is not type(part)
    }


def check_data_parallel(method: Method) -> None:
    """Refuse a user's own method that does not say that it may be trained by several processes.

    Args:
        method: a method, or a combination.

    Raises:
        SettingError: it, or a part of it, is not the lab's and does not say so.
    """
    for part in method.parts if isinstance(method, Composed) else (method,):
        if METHODS.get(part.name) is not type(part) and not part.data_parallel:
            raise SettingError(
                f"{part.name} does not say that it is right where each of {world_size()} processes "
                "sees a share of every batch; set data_parallel = True on its class if it is, or "
                "train in one process"
            )


def installed_methods() -> dict[str, type[Method] | SettingError]:
    """The methods that installed packages register, imported.

    Returns:
        Name → its class, or what is wrong with it.
    """
    methods: dict[str, type[Method] | SettingError] = {}
    for name in entry_points(METHODS_GROUP):
        if name not in METHODS:
            try:
                methods[name] = method_class(name)
            except SettingError as error:
                methods[name] = error
    return methods


def _check_own_name(method: type[Method], reference: str) -> None:
    """Check that a class that is not the lab's has a name that tells it apart and names a folder.

    Raises:
        SettingError: it has none, one that is no name of a folder, or that of another method.
    """
    name = getattr(method, "name", None)
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
        raise SettingError(
            f"{reference}: the class needs a name of letters, digits, '-' and '_', such as "
            f'name: ClassVar[str] = "mine" (it is {name!r}), which names its run folders'
        )
    if METHODS.get(name) is method:
        return
    if not is_reference(reference) and reference != name:
        raise SettingError(
            f"entry point '{reference}' registers a method whose name is '{name}'; give both the "
            "same name"
        )
    entry_point = entry_points(METHODS_GROUP).get(name)
    homes = (reference, f"{method.__module__}:{method.__qualname__}")
    registered_elsewhere = (
        is_reference(reference) and entry_point is not None and entry_point.value not in homes
    )
    if registered_elsewhere or name.casefold() in METHODS:
        raise SettingError(
            f"{reference}: its name is '{name}', and another method has that name; give the class "
            "a name of its own"
        )


def _make_composed(name: str, settings: Mapping[str, Any]) -> Composed:
    """Make the methods whose names are joined; settings are under a part's name or reference."""
    parts = name.split(PLUS)
    own_names = {method_class(part).name: part for part in parts}
    by_part: dict[str, dict[str, Any]] = {part: {} for part in parts}
    for key, part_settings in settings.items():
        part = own_names.get(key, key)
        if part not in by_part or not isinstance(part_settings, Mapping):
            raise SettingError(
                f"{name} has no setting '{key}' of its own; give each part's settings under its "
                f"name, such as {parts[0]}={{…}}"
            )
        by_part[part] |= part_settings
    return Composed(tuple(make_method(part, **by_part[part]) for part in parts))
