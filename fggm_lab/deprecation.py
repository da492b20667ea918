"""Words of the public surface that have a new name: the old one is accepted for one release."""

import warnings


def warn_renamed(old: str, new: str) -> None:
    """Warn that `old` is now called `new`, at the line of the caller's caller.

    Args:
        old: what the caller wrote, such as `scope="layer"`.
        new: what to write instead.
    """
    warnings.warn(
        f"{old} is now called {new}; the old name goes with version 0.3",
        FutureWarning,
        stacklevel=3,
    )
