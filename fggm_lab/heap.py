"""Keeping freed memory in the process, so that the next batch need not fault it in again."""

import ctypes
import os
from functools import cache

MAX_KEPT_BYTES = 2**29
"""The most freed memory that stays with the process, bytes."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST_ON_HEAP = 2**25  # glibc accepts no more


@cache
def keep_freed_memory() -> bool:
    """Tell glibc not to hand freed memory back to the system after every batch.

    A pass over a batch frees all it took; by default glibc then gives the top of its heap back, and
    the next batch pays for every page anew: up to a fifth of a pass over a small model. Training
    calls this; scoring a model does not, so that it leaves the process as it is. Acts once per
    process. Does nothing under another C library, or where the user has tuned malloc.

    Returns:
        Whether glibc was told.
    """
    tuned = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
    if any(name in os.environ for name in tuned):
        return False
    try:
        library = ctypes.CDLL(None)
        if not hasattr(library, "gnu_get_libc_version"):
            return False
        accepted = library.mallopt(_TRIM_THRESHOLD, MAX_KEPT_BYTES)
        return bool(accepted and library.mallopt(_MMAP_THRESHOLD, _LARGEST_ON_HEAP))
    except (OSError, AttributeError, TypeError):
        return False
