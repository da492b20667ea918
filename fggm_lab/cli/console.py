"""Where the commands print: text is only text there, whatever names and messages hold."""

from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from fggm_lab.escaping import visible


class PlainConsole(Console):
    """A console that reads no markup in text, and shows control characters instead of obeying."""

    def __init__(self, **settings: Any) -> None:
        """As rich's, without markup and emoji codes."""
        super().__init__(markup=False, emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Text as rich prints it, for whatever is printed or lies in a table."""
        return super().render_str(visible(text), **settings)

    def print_marked(self, mark: str, colour: str, text: str) -> None:
        """Print a line that begins with a coloured word, such as a warning."""
        self.print(Text.assemble((mark, colour), " ", visible(text)), highlight=False)


console = PlainConsole()


def tell(text: str, *, err: bool = False) -> None:
    """Print text without a table's or a progress bar's help, as it is but for control characters.

    Args:
        text: without its last line end.
        err: on standard error.
    """
    typer.echo(visible(text), err=err)
