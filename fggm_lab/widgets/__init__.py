"""Widgets for notebooks: controls around the figures of `fggm_lab.plots`.

Names are imported when first used: the widgets that train need torch, `explore` does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from fggm_lab.extras import require

if TYPE_CHECKING:
    from fggm_lab.widgets.live import LiveTraining as LiveTraining
    from fggm_lab.widgets.open_runs import browse as browse
    from fggm_lab.widgets.open_runs import compare as compare
    from fggm_lab.widgets.open_runs import explore as explore
    from fggm_lab.widgets.playground import MaskPlayground as MaskPlayground

_HOMES = {"LiveTraining": "live", "MaskPlayground": "playground", "browse": "open_runs",
          "compare": "open_runs", "explore": "open_runs"}  # fmt: skip

CONTROLS = "a figure with controls"
LIBRARIES = ("anywidget", "ipywidgets")
"""What controls are made of; `browse`, `compare` and `explore` show plain figures without."""

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        if name in ("LiveTraining", "MaskPlayground"):
            require(CONTROLS, *LIBRARIES)
        return getattr(import_module(f"fggm_lab.widgets.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'fggm_lab.widgets' has no attribute '{name}'")
