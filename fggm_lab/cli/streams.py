"""Output that a command can outlive: a full disk, a closed pipe or terminal, an old encoding."""

import errno
import os
from typing import Any, TextIO


class Stream:
    """A text stream that drops what it cannot write, and remembers why.

    Characters that its encoding does not have are written as `\\u2026`. Everything else is the
    wrapped stream's.

    Attributes:
        lost: the first error of writing; None as long as all was written.
    """

    def __init__(self, stream: TextIO) -> None:
        """Wrap a stream.

        Args:
            stream: one that has a file descriptor of its own.
        """
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write or drop a text; how many characters it has."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError:  # before any of the text was written
            encoding = self._stream.encoding
            escaped = text.encode(encoding, "backslashreplace").decode(encoding)
            self.write(escaped)
        except OSError as problem:
            self._give_up(problem)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written, or drop it."""
        try:
            self._stream.flush()
        except OSError as problem:
            self._give_up(problem)

    def _give_up(self, problem: OSError) -> None:
        """Send to nowhere what is in the stream's buffer and what comes: Python flushes at exit."""
        if self.lost is None:
            self.lost = problem
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def lost_sentence(stream: Any) -> str | None:
    """What to say of output that was lost.

    Args:
        stream: standard output as it is now.

    Returns:
        The sentence; None if nothing was lost, or if whoever read it had enough (a closed pipe).
    """
    lost = stream.lost if isinstance(stream, Stream) else None
    closed_pipe = (errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,)
    if lost is None or lost.errno in closed_pipe:
        return None
    return f"cannot write to standard output: {lost.strerror}; what was to be printed is lost"
