"""OpenMP's worker threads, of which every thread that calls torch has a set of its own."""

import ctypes
import os

_SOFT = 1  # omp_pause_soft of omp.h: what is paused starts again when it is next needed


def release_workers() -> bool:
    """End the calling thread's idle OpenMP workers; they start again when it next needs them.

    Idle workers count: where there are more workers than cores, GNU's OpenMP puts each of them to
    sleep after every small piece of work in place of waiting for the next. Training in a second
    thread took 1.4 times as long while the first one kept its workers (`benchmarks/live.py`).
    Does nothing where torch uses another OpenMP.

    Returns:
        Whether they were released.
    """
    try:
        openmp = ctypes.CDLL("libgomp.so.1", mode=os.RTLD_LAZY | os.RTLD_NOLOAD)
        return bool(openmp.omp_pause_resource_all(_SOFT) == 0)
    except (OSError, AttributeError):
        return False
