"""Locks between processes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fggm_lab.errors import LabError


@contextmanager
def locked(
    path: Path, busy: Callable[[], None], refusal: Callable[[Exception], LabError]
) -> Iterator[None]:
    """Hold a lock that one process at a time can hold, and that ends with the process.

    Args:
        path: the lock file; its folder must be there.
        busy: called if another process holds the lock; raises, or returns to wait for it.
        refusal: makes the error where the folder allows no lock, given why.

    Yields:
        Once the lock is held; afterwards it is released.

    Raises:
        LabError: `refusal`, where the folder cannot be written to.
    """
    lock = FileLock(path)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            busy()
            lock.acquire()
    except (OSError, NotImplementedError) as problem:
        raise refusal(problem) from None
    try:
        yield
    finally:
        lock.release()
