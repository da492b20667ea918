"""Who hears how far a pass over examples has come: a caller's function, a bar, or nobody."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

ProgressCallback = Callable[[int, int], object]
"""Called with (examples done, examples in all)."""


@contextmanager
def reporting(
    progress: ProgressCallback | bool | None, task: str | None
) -> Iterator[ProgressCallback]:
    """What to call after each batch: the caller's function, a bar if True, or nothing."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda done, total: None
    else:
        from tqdm.auto import tqdm

        with tqdm(desc=f"Fisher {task or ''}".strip(), unit=" examples") as bar:

            def advance(done: int, total: int) -> None:
                bar.total = total
                bar.update(done - bar.n)

            yield advance
