"""Continual-learning methods, one file each, all speaking the protocol of `base.Method`."""

from dataclasses import fields
from typing import Any

from fggm_lab.errors import SettingError, nearest
from fggm_lab.methods.base import Method, Plan, TaskContext
from fggm_lab.methods.compose import PLUS, Composed
from fggm_lab.methods.ewc import EWC
from fggm_lab.methods.fggm import FGGM
from fggm_lab.methods.fggm_online import FGGMOnline
from fggm_lab.methods.joint import Joint
from fggm_lab.methods.l2 import L2
from fggm_lab.methods.lora import LoRA
from fggm_lab.methods.lwf import LwF
from fggm_lab.methods.magnitude import Magnitude
from fggm_lab.methods.migu import MIGU
from fggm_lab.methods.mofo import MoFO
from fggm_lab.methods.olora import OLoRA
from fggm_lab.methods.online_ewc import OnlineEWC
from fggm_lab.methods.own_samples import Contrast, Protect, contrast, self_fisher
from fggm_lab.methods.random_mask import RandomMask
from fggm_lab.methods.replay import Replay
from fggm_lab.methods.sft import SFT
from fggm_lab.methods.untrained import Untrained

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
        Magnitude,
        MoFO,
        EWC,
        OnlineEWC,
        L2,
        LwF,
        Replay,
        LoRA,
        OLoRA,
        Joint,
        Untrained,
    )
}
"""Every method by the name the command line uses."""


def make_method(name: str, **settings: Any) -> Method:
    """A method by name, or several by names joined with a plus.

    Example: `make_method("lora+fggm", fggm={"keep": 0.2})`

    Args:
        name: a key of `METHODS`, or several with a plus between them.
        settings: the method's; of several, each part's under its name.

    Raises:
        SettingError: no such method or setting, or methods that exclude each other.
    """
    if PLUS in name:
        return _combined(name, settings)
    if name not in METHODS:
        raise SettingError(
            f"no method is named '{name}'; there are: {', '.join(METHODS)}"
            f"{nearest(name, list(METHODS))}"
        )
    types = {f.name: f.type for f in fields(METHODS[name]) if f.init}
    known = list(types)
    for key, value in settings.items():
        if key not in known:
            has = f"it has: {', '.join(known)}" if known else "it has none"
            raise SettingError(f"{name} has no setting '{key}'; {has}{nearest(key, known)}")
        if types[key] is bool and not isinstance(value, bool):  # any other text would be true
            raise SettingError(f"{name}.{key} is '{value}'; it must be true or false")
    return METHODS[name](**settings)


def _combined(name: str, settings: dict[str, Any]) -> Composed:
    """The methods whose names are joined."""
    names = name.split(PLUS)
    for key, given in settings.items():
        if key not in names or not isinstance(given, dict):
            raise SettingError(
                f"{name} has no setting '{key}' of its own; give each part's settings under its "
                f"name, such as {names[0]}={{…}}"
            )
    return Composed(tuple(make_method(part, **settings.get(part, {})) for part in names))


__all__ = [
    "EWC",
    "FGGM",
    "L2",
    "METHODS",
    "MIGU",
    "PLUS",
    "SFT",
    "Composed",
    "Contrast",
    "FGGMOnline",
    "Joint",
    "LoRA",
    "LwF",
    "Magnitude",
    "Method",
    "MoFO",
    "OLoRA",
    "OnlineEWC",
    "Plan",
    "Protect",
    "RandomMask",
    "Replay",
    "TaskContext",
    "Untrained",
    "contrast",
    "make_method",
    "self_fisher",
]
