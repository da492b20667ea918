"""Controls whose listeners hear of a reader's changes, and not of the library's own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets
import traitlets

WIDE = {"description_width": "initial"}
"""A style: descriptions take the room they need."""


class Controls:
    """Named controls in a row; listeners hear which one a reader has changed.

    Attributes:
        box: the widget.
        named: name → control.
    """

    def __init__(self, **named: ipywidgets.Widget) -> None:
        """Args:
        named: the controls by name, in the order of the row.
        """
        self.named = named
        self.box = ipywidgets.HBox(
            list(named.values()), layout={"flex_flow": "row wrap", "grid_gap": "0 12px"}
        )
        self._displays = {name: control.layout.display for name, control in named.items()}
        self._listeners: list[Callable[[str], None]] = []
        self._offering = False
        for name, control in named.items():
            control.observe(lambda _, name=name: self._notify(name), "value")

    def __getitem__(self, name: str) -> Any:
        """The value of a control."""
        return self.named[name].value

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call a function with a control's name after its value has changed, except by `offer`."""
        self._listeners.append(listener)

    def offer(self, name: str, options: Sequence[Any]) -> bool:
        """Give a list other options; its value stays if it is still among them.

        Args:
            name: of the control.
            options: values, or (text, value) pairs; at least one.

        Returns:
            True if the value had to change.
        """
        control = self.named[name]
        value = control.value
        values = [option[1] if isinstance(option, tuple) else option for option in options]
        self._offering = True
        try:
            control.options = options
            control.value = value if value in values else values[0]
        finally:
            self._offering = False
        return bool(control.value != value)

    def show_only(self, names: Iterable[str]) -> None:
        """Show the named controls, hide the others."""
        visible = set(names)
        for name, control in self.named.items():
            control.layout.display = self._displays[name] if name in visible else "none"

    def _notify(self, name: str) -> None:
        if not self._offering:
            for listener in self._listeners:
                listener(name)


def choice(description: str, options: Sequence[Any] = ()) -> ipywidgets.Dropdown:
    """A drop-down list: one of several options."""
    return ipywidgets.Dropdown(description=description, options=options, style=WIDE)


def switch(description: str, options: Sequence[Any]) -> ipywidgets.ToggleButtons:
    """Buttons side by side, of which one is pressed: at first the first."""
    return ipywidgets.ToggleButtons(
        description=description,
        options=options,
        style={"button_width": "auto", **WIDE},
        layout={
            "width": "max-content",
            "max_width": "100%",
            "display": "flex",
            "grid_gap": "0 8px",
        },
    )


class Ticks(ipywidgets.HBox):
    """Boxes to tick, one per name, all ticked at first.

    Attributes:
        value: the ticked names, in order.
        boxes: name → its box.
    """

    value = traitlets.Tuple()

    def __init__(self, names: Sequence[str]) -> None:
        """Args:
        names: the text of each box.
        """
        self.boxes = {
            name: ipywidgets.Checkbox(
                True, description=name, indent=False, layout={"width": "auto"}
            )
            for name in names
        }
        row = {"flex_flow": "row wrap", "grid_gap": "0 12px"}
        super().__init__(list(self.boxes.values()), layout=row)
        self.value = tuple(names)
        for box in self.boxes.values():
            box.observe(self._collect, "value")

    def _collect(self, _: object) -> None:
        self.value = tuple(name for name, box in self.boxes.items() if box.value)
