"""Continual-learning methods, one file each, all speaking the protocol of `base.Method`."""

from dataclasses import fields
from typing import Any

from fggm_lab.errors import SettingError
from fggm_lab.methods.base import Method, Plan, TaskContext
from fggm_lab.methods.fggm import FGGM
from fggm_lab.methods.fggm_online import FGGMOnline
from fggm_lab.methods.migu import MIGU
from fggm_lab.methods.own_samples import Contrast, Protect
from fggm_lab.methods.random_mask import RandomMask
from fggm_lab.methods.sft import SFT

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
    )
}
"""Every method by the name the command line uses."""


def make_method(name: str, **settings: Any) -> Method:
    """A method by name.

    Raises:
        SettingError: no such method, or it has no such setting.
    """
    if name not in METHODS:
        raise SettingError(f"no method is named '{name}'; there are: {', '.join(METHODS)}")
    known = [f.name for f in fields(METHODS[name]) if f.init]
    for key in settings:
        if key not in known:
            has = f"it has: {', '.join(known)}" if known else "it has none"
            raise SettingError(f"{name} has no setting '{key}'; {has}")
    return METHODS[name](**settings)


__all__ = [
    "FGGM",
    "METHODS",
    "MIGU",
    "SFT",
    "Contrast",
    "FGGMOnline",
    "Method",
    "Plan",
    "Protect",
    "RandomMask",
    "TaskContext",
    "make_method",
]
