"""Whether methods that are compared mask the first task alike: if not, that may be the difference.

A mask on the first task protects what the model could do before any of them, so that two masks that
differ in it alone differ in General.
"""

from collections.abc import Sequence
from typing import Any


def first_task_note(rows: Sequence[dict[str, Any]]) -> str | None:
    """Say which masks cover the first task, where those compared differ in it.

    Args:
        rows: of `comparison` or `over_seeds`.

    Returns:
        Such as `first task masked: fggm, random; not: migu`; None if all masks treat it alike.
        Methods have their settings behind them where both lists would name them.
    """
    masked, unmasked = (
        list(dict.fromkeys(row["method"] for row in rows if row["first_task_masked"] is value))
        for value in (True, False)
    )
    if not masked or not unmasked:
        return None
    in_both = {_name(label) for label in masked} & {_name(label) for label in unmasked}

    def listed(labels: list[str]) -> str:
        short = (label if _name(label) in in_both else _name(label) for label in labels)
        return ", ".join(dict.fromkeys(short))

    return f"first task masked: {listed(masked)}; not: {listed(unmasked)}"


def _name(label: str) -> str:
    """A method's name without the settings behind it."""
    return label.partition(" (")[0]
