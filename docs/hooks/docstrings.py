"""Docstrings that begin with `Args:` on their first line, as those of `__init__` do here.

The lines below it then have the indentation of the docstring itself, where the reader of
docstrings expects more; this adds it.
"""

from typing import Any

from griffe import Extension, Object


def mended(docstring: str) -> str:
    """A docstring whose first section, if it begins with one, is indented as the others are."""
    first, blank, rest = docstring.partition("\n\n")
    head, *lines = first.split("\n")
    if head != "Args:" or not lines or lines[0].startswith(" "):
        return docstring
    return "\n".join([head, *(f"    {line}" for line in lines)]) + blank + rest


class FirstSection(Extension):
    """Mends every docstring that is read."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = mended(obj.docstring.value)
