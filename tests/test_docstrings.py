"""Every public class describes each of its parameters in its own docstring."""

import inspect
import re
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pydantic
import pytest
from typing_extensions import is_typeddict

import fggm_lab

ROOT = Path(fggm_lab.__file__).parent
SECTION = re.compile(r"^ *(?:Args|Attributes|Arguments):\n((?:\n| +.*\n?)*)", re.MULTILINE)
ENTRY = re.compile(r"^ *((?:\*{0,2}\w+(?:, )?)+)(?: \(.*\))?:", re.MULTILINE)


@cache
def public_classes() -> dict[str, type]:
    """The classes of the package's names, and of the names that every room exports."""
    rooms = [fggm_lab, *(import_module(f"fggm_lab.{name}") for name in room_names())]
    classes: dict[str, type] = {}
    for room in rooms:
        for name in getattr(room, "__all__", ()):
            value = getattr(room, name)
            if isinstance(value, type) and value.__module__.startswith("fggm_lab"):
                classes[f"{value.__module__}.{value.__qualname__}"] = value
    return dict(sorted(classes.items()))


def room_names() -> list[str]:
    """The package's folders and files."""
    return sorted(
        path.stem
        for path in ROOT.iterdir()
        if not path.name.startswith("_")
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    )


def parameters(cls: type) -> set[str]:
    """What a caller gives to make one."""
    if issubclass(cls, Enum | BaseException):
        return set()
    if is_dataclass(cls):
        return {f.name for f in fields(cls) if f.init and not f.name.startswith("_")}
    if is_typeddict(cls):
        return set(cls.__annotations__)
    if issubclass(cls, pydantic.BaseModel):
        return set(cls.model_fields)
    initialise: Any = cls.__init__
    if initialise is object.__init__:
        return set()
    by_keyword = inspect.signature(initialise).parameters.values()
    return {p.name for p in by_keyword if p.name != "self" and not p.name.startswith("_")}


def documented(cls: type) -> set[str]:
    """The names in the sections `Args` and `Attributes` of a class or its `__init__`."""
    texts = [cls.__dict__.get("__doc__"), getattr(cls.__dict__.get("__init__"), "__doc__", None)]
    # Fields of pydantic models may have a description of their own.
    names = {
        name
        for name, field in getattr(cls, "model_fields", {}).items()
        if getattr(field, "description", None)
    }
    for text in texts:
        for section in SECTION.findall(with_indented_sections(text or "")):
            for entry in ENTRY.findall(section):
                names |= {name.strip(" *") for name in entry.split(",")}
    return names


def with_indented_sections(text: str) -> str:
    """A docstring without common indentation; one that is a section alone keeps its own."""
    head, _, rest = text.partition("\n")
    if head.strip() in ("Args:", "Attributes:"):
        return f"{head.strip()}\n{indent(dedent(rest), '    ')}\n"
    return f"{inspect.cleandoc(text)}\n"


@pytest.mark.parametrize("name", public_classes())
def test_every_parameter_is_in_the_docstring(name: str) -> None:
    cls = public_classes()[name]
    assert cls.__dict__.get("__doc__"), f"{name} has no docstring"
    missing = sorted(parameters(cls) - documented(cls))
    assert not missing, f"{name} does not say what these are: {', '.join(missing)}"


def test_the_check_reads_both_sections_and_several_names_at_once() -> None:
    class Example:
        """An example.

        Attributes:
            first, second: two
                lines.
            third (optional): one.

        Raises:
            KeyError: no parameter.
        """

        def __init__(self, first: int, second: int, fourth: int) -> None:
            """Args:
            fourth: of the constructor.
            """

    assert documented(Example) == {"first", "second", "third", "fourth"}
    assert parameters(Example) == {"first", "second", "fourth"}
