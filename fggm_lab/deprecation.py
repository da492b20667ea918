"""Words of the public surface that have a new name: the old one is accepted for one release."""

import sys
import warnings


def warn_renamed(old: str, new: str) -> None:
    """Warn that `old` is now called `new`, at the line outside this package that wrote it.

    Args:
        old: what the caller wrote, such as `scope="layer"`.
        new: what to write instead.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("fggm_lab"):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"{old} is now called {new}; the old name goes with version 0.3",
        FutureWarning,
        stacklevel=level,
    )
