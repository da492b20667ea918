"""Controls that a reader and the library may both change, without the one's answer to the other."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets
import traitlets

WIDE = {"description_width": "initial"}
"""Descriptions take the room they need."""


class Controls:
    """Named controls in a row; listeners hear which one a reader has changed.

    Attributes:
        box: the widget.
        named: name → control.
    """

    def __init__(self, **named: ipywidgets.Widget) -> None:
        self.named = named
        self.box = ipywidgets.HBox(
            list(named.values()), layout={"flex_flow": "row wrap", "grid_gap": "0 12px"}
        )
        self._displays = {name: control.layout.display for name, control in named.items()}
        self._listeners: list[Callable[[str], None]] = []
        self._offering = False
        for name, control in named.items():
            control.observe(lambda _, name=name: self._tell(name), "value")

    def __getitem__(self, name: str) -> Any:
        """The value of a control."""
        return self.named[name].value

    def listen(self, call: Callable[[str], None]) -> None:
        """Call with a control's name when its value was changed, but not by `offer`."""
        self._listeners.append(call)

    def offer(self, name: str, options: Sequence[Any]) -> bool:
        """Give a list other options; its value stays if it is still among them.

        Args:
            name: of the control.
            options: values, or (text, value) pairs; at least one.

        Returns:
            whether the value had to change.
        """
        control = self.named[name]
        value = control.value
        values = [one[1] if isinstance(one, tuple) else one for one in options]
        self._offering = True
        try:
            control.options = options
            control.value = value if value in values else values[0]
        finally:
            self._offering = False
        return bool(control.value != value)

    def show_only(self, names: Iterable[str]) -> None:
        """Show the named controls, hide the others."""
        wanted = set(names)
        for name, control in self.named.items():
            control.layout.display = self._displays[name] if name in wanted else "none"

    def _tell(self, name: str) -> None:
        if not self._offering:
            for call in self._listeners:
                call(name)


def choice(description: str, options: Sequence[Any] = ()) -> ipywidgets.Dropdown:
    """A list to choose one from."""
    return ipywidgets.Dropdown(description=description, options=options, style=WIDE)


def switch(
    description: str, options: Sequence[Any], value: Any = None, width: str = "auto"
) -> ipywidgets.ToggleButtons:
    """Buttons of which one is pressed; their text stands inside them."""
    buttons = ipywidgets.ToggleButtons(
        description=description,
        options=options,
        style={"button_width": width, **WIDE},
        layout={
            "width": "max-content",
            "max_width": "100%",
            "display": "flex",
            "grid_gap": "0 8px",
        },
    )
    if value is not None:
        buttons.value = value
    return buttons


class Ticks(ipywidgets.HBox):
    """Boxes to tick, one per name, all ticked at first.

    Attributes:
        value: the ticked names, in order.
        boxes: name → its box.
    """

    value = traitlets.Tuple()

    def __init__(self, names: Sequence[str]) -> None:
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
            box.observe(self._count, "value")

    def _count(self, _: object) -> None:
        self.value = tuple(name for name, box in self.boxes.items() if box.value)
