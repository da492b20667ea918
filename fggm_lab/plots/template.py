"""Figures without their numbers, which Python or a page fills in: one definition for both.

A template is a Plotly figure without the values that depend on the keep share, a list of where
these values go (`Slot`), and the texts in which they are named (`Text`). Python fills it with
numbers counted from masks. The explorer's page fills the same template with numbers that it counts
itself: `fggm_lab/explorer/page/fill.js` is this file in JavaScript, and a test holds the two
together.

A text holds values in braces, formatted as Python formats them (`{z:+.1f}`, `{units:,}`) or by a
name of `FORMATS` (`{share:percent}`). A part in square brackets is left out where a value in it is
None; an empty text as a value makes a switch: `[nothing kept{empty}]`. Where values are lists, the
text is a list of their shape; a value that is no list is the same for all.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import plotly.graph_objects as go

from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish

Numbers = Mapping[str, Any]
"""Named values: numbers, texts, None, and arrays or nested lists of them."""

FORMATS: dict[str, Callable[[Any], str]] = {
    "percent": theme.percent,
    "cell": lambda value: f"{value:.2f}".removeprefix("0"),
}
"""Formats beside Python's own: `30 %`; `.37`, which fits a narrow cell."""

_BRACKETS = re.compile(r"\[([^\]]*)\]")
_BRACES = re.compile(r"\{(\w+)(?::([^}]*))?\}")


@dataclass(frozen=True)
class Slot:
    """Where values go.

    Attributes:
        path: keys and indices, from `data` or `layout` on.
        names: of the value; of several, which are then laid side by side along a last axis.
        item: the index of the item wanted, where values are lists of what several slots hold.
    """

    path: tuple[str | int, ...]
    names: tuple[str, ...]
    item: int | None = None


@dataclass(frozen=True)
class Text:
    """A text in which values are named.

    Attributes:
        template: the text.
        join: what to put between the texts of a list, so that they become one; None: stay a list.
    """

    template: str
    join: str | None = None


@dataclass(frozen=True)
class Template:
    """A figure without the numbers that depend on the keep share.

    Attributes:
        name: of the function that draws the figure, and of the page's function for its numbers.
        settings: named values that stay: what the numbers' function reads, and what texts name.
        skeleton: the figure, drawn but for the slots.
        slots: where values go.
        texts: name → text; those further down may name those above. `title`, `caption` and
            `description` are among them.
    """

    name: str
    settings: dict[str, Any]
    skeleton: go.Figure
    slots: tuple[Slot, ...]
    texts: dict[str, Text] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The template as JSON for a page, the figure without its title (a page prints it).

        Returns:
            `figure`, `settings`, `data`, `layout`, `slots` and `texts`. Plotly writes arrays as
            `{dtype, bdata}`, which plotly.js reads.
        """
        figure = json.loads(theme.lay_out(go.Figure(self.skeleton)).to_json())
        return {
            "figure": self.name,
            "settings": self.settings,
            "data": figure["data"],
            "layout": figure["layout"],
            "slots": [
                {"path": list(slot.path), "names": list(slot.names), "item": slot.item}
                for slot in self.slots
            ],
            "texts": {
                name: {"template": text.template, "join": text.join}
                for name, text in self.texts.items()
            },
        }


def fill(template: Template, numbers: Numbers) -> go.Figure:
    """Draw a template's figure with numbers.

    Args:
        template: as a figure's module makes it.
        numbers: every value that its slots and texts name, those of its settings aside.

    Returns:
        The figure, finished.
    """
    values = filled(template, numbers)
    figure = go.Figure(template.skeleton)
    set_slots(figure, template.slots, values)
    return finish(figure, values["title"], values["caption"], values["description"])


def set_slots(figure: go.Figure, slots: Iterable[Slot], values: Numbers) -> None:
    """Put values where they go in a figure.

    Args:
        figure: changed in place.
        slots: of the figure's template.
        values: of `filled`.
    """
    for slot in slots:
        *parents, last = slot.path
        owner: Any = figure
        for key in parents:
            owner = owner[key]
        owner[last] = value_of(slot, values)


def filled(template: Template, numbers: Numbers) -> dict[str, Any]:
    """Every value by its name: settings, numbers, and the texts made from them."""
    values = {**template.settings, **numbers}
    for name, text in template.texts.items():
        formatted = format_text(text.template, values)
        values[name] = formatted if text.join is None else text.join.join(formatted)
    return values


def value_of(slot: Slot, values: Numbers) -> Any:
    """What a slot holds.

    Args:
        slot: of the template whose values these are.
        values: of `filled`.

    Returns:
        A value, or a (…, names) array of several.
    """
    columns = [values[n] if slot.item is None else values[n][slot.item] for n in slot.names]
    if len(columns) == 1:
        return columns[0]
    return np.stack([np.array(column, dtype=object) for column in columns], axis=-1)


def format_text(text: str, values: Numbers) -> Any:
    """Put values into a text.

    Args:
        text: the text, as this module's docstring describes it.
        values: those that it names, perhaps among others.

    Returns:
        The text; a list, or a list of lists, of texts where values are lists.
    """
    named = {name: values[name] for name, _ in _BRACES.findall(text)}
    return _over_lists(
        text, {n: v.tolist() if hasattr(v, "tolist") else v for n, v in named.items()}
    )


def _over_lists(text: str, values: Numbers) -> Any:
    lists = {name: value for name, value in values.items() if isinstance(value, list)}
    if not lists:
        return _format_one(text, values)
    return [
        _over_lists(text, {**values, **dict(zip(lists, items, strict=True))})
        for items in zip(*lists.values(), strict=True)
    ]


def _format_one(text: str, values: Numbers) -> str:
    def part(match: re.Match[str]) -> str:
        names = [name for name, _ in _BRACES.findall(match[1])]
        return "" if any(values[name] is None for name in names) else match[1]

    def value(match: re.Match[str]) -> str:
        name, spec = match[1], match[2] or ""
        return FORMATS[spec](values[name]) if spec in FORMATS else format(values[name], spec)

    return _BRACES.sub(value, _BRACKETS.sub(part, text))
