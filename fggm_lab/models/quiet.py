"""Loading without progress bars and warnings of transformers, one thread at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging

_LOADING = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Load without progress bars and without the warnings of transformers.

    Only one thread loads at a time: transformers changes its own classes while it loads, and two
    threads that load at once would leave them changed.

    Yields:
        Nothing; the settings of transformers are restored at the end of the block.
    """
    with _LOADING, _quiet():
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    shown = transformers_logging.is_progress_bar_enabled()
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if shown:
            transformers_logging.enable_progress_bar()
