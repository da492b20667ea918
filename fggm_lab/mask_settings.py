"""The two settings by which a mask is cut: the share of units it keeps, and its scope."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from fggm_lab.checks import check_choice, is_number
from fggm_lab.deprecation import present_name
from fggm_lab.errors import SettingError

Scope = Literal["parameter", "global"]
"""Where a keep share holds: within each parameter, or over all units of the model."""

SCOPES: tuple[Scope, ...] = get_args(Scope)


class MaskSettings(NamedTuple):
    """How masks are cut from scores.

    Attributes:
        keep: the share of units that may move.
        scope: where that share holds.
    """

    keep: float = 0.3
    scope: Scope = "parameter"


def check_keep(keep: float) -> None:
    """Check that a keep share is a number in (0, 1].

    Args:
        keep: the share of units that may move.

    Raises:
        SettingError: it is not.
    """
    if not is_number(keep) or not 0 < keep <= 1:
        raise SettingError(
            f"keep is {keep!r}; it is the share of units that may move and must be in (0, 1]"
        )


def kept_count(keep: float, units: int) -> int:
    """How many units a keep share keeps.

    Args:
        keep: the share of units that may move, in (0, 1].
        units: how many units there are to choose from.

    Returns:
        Python's `round(keep * units)`, which rounds halves to the even neighbour.

    Raises:
        SettingError: `keep` is outside (0, 1].
    """
    check_keep(keep)
    return round(keep * units)


def check_moves(keep: float, scope: Scope, sizes: Mapping[str, int]) -> None:
    """Check that a keep share lets anything move, before anything is scored or trained.

    Args:
        keep: the share of units that may move, in (0, 1].
        scope: where that share holds.
        sizes: name of a parameter → how many units it has.

    Raises:
        SettingError: it rounds to no unit at all.
    """
    units = sum(sizes.values()) if scope == "global" else max(sizes.values(), default=0)
    if not sizes or kept_count(keep, units):
        return
    of = "all parameters have" if scope == "global" else "the largest parameter has"
    raise SettingError(
        f"keep is {keep:g}, and round(keep · {units:,}), of the units that {of}, is 0: nothing "
        f"would move; keep more than {0.5 / units:.2g}"
    )


def check_scope(scope: str, *, stored: bool = False) -> Scope:
    """Check a scope, and translate a name that it had in an earlier version.

    Args:
        scope: one of `SCOPES`, or `"layer"`, the old name of `"parameter"`.
        stored: whether it was read from a file; old names are translated without a warning then.

    Returns:
        The scope by its present name.

    Raises:
        SettingError: there is no such scope.
    """
    scope = present_name("scope", scope, stored=stored)
    check_choice("scope", scope, Scope)
    return next(name for name in SCOPES if name == scope)
