"""What a rich table prints."""

from rich.console import Console, RenderableType


def printed_text(table: RenderableType, width: int = 200) -> str:
    """A table as a terminal of so many characters shows it."""
    console = Console(width=width)
    with console.capture() as capture:
        console.print(table)
    return capture.get()
