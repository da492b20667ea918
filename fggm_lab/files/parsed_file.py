"""A file that others write, parsed once for each version of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

Content = TypeVar("Content")
"""What a file holds, once it is parsed."""


class ParsedFile(Generic[Content]):
    """What a file holds, parsed once for each version of it.

    Two versions differ in the file's time of change, its size, or the file itself (its inode), for
    files are replaced whole or appended to.

    Attributes:
        path: the file, whether it is there yet or not.
    """

    def __init__(self, path: Path, parse: Callable[[Path], Content]) -> None:
        """Nothing is read yet.

        Args:
            path: the file.
            parse: makes the content of the file's path; may raise.
        """
        self.path = path
        self._parse = parse
        self._latest: tuple[tuple[int, int, int], Content] | None = None

    def read(self) -> Content | None:
        """What the file holds now; raises as `parse` does.

        Returns:
            The content, None if the file is not there. Readers share it, so they must not change
            it.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        latest = self._latest
        if latest is None or latest[0] != version:
            # The version was taken first: what is written meanwhile is found by the next call.
            latest = self._latest = version, self._parse(self.path)
        return latest[1]

    def forget(self) -> None:
        """Parse anew at the next call, for a process that has just changed the file itself."""
        self._latest = None
