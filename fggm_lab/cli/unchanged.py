"""Whether the finished cells of a sweep are of the model and the data that are there now."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fggm_lab.cli.cells import Cells, first_names
from fggm_lab.cli.console import console
from fggm_lab.cli.prepare import prepare
from fggm_lab.errors import LabError, OtherSettings

if TYPE_CHECKING:  # imports torch, which would slow every command's start
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase, Mapping[str, str]]

_CONTENT = ("dtype", "order", "max_length")
"""Options in which cells of one sweep differ, and by which what is loaded differs."""


def check_unchanged(cells: Cells, finished: Sequence[str]) -> None:
    """Refuse finished runs of another model, tokenizer, tasks or General than there are now.

    They are compared by content, and each is loaded once, however many cells share it. What cannot
    be loaded any more is told in a warning, and its runs are taken as they are.

    Args:
        cells: of the sweep.
        finished: names of those whose runs are finished.

    Raises:
        OtherSettings: something has changed since; the message names the runs and what it is.
    """
    from fggm_lab.runs import Run

    alike: dict[str, list[str]] = {}
    for name in finished:
        options = cells.options_of(name)
        alike.setdefault(str([options[key] for key in _CONTENT]), []).append(name)
    load = lru_cache(maxsize=1)(_load)  # sorted, so that those of one dtype come together
    changed: dict[str, str] = {}
    for _, names in sorted(alike.items()):
        try:
            now = _fingerprints(cells, names[0], load)
        except LabError as problem:
            text = f"finished runs are not compared with what they were made of: {problem}"
            console.print_marked("warning", "yellow", text)
            continue
        for name in names:
            then = Run.open(cells.out / name).config
            if different := then.model_copy(update=now).difference(then):
                changed[name] = "; ".join(different)
    if changed:
        names = [name for name in finished if name in changed]
        raise OtherSettings(
            f"{first_names([str(cells.out / name) for name in names])}: what finished runs were "
            f"made of has changed since ({changed[names[0]]}); restore it, name another --out, or "
            "remove these folders to train them again"
        )


def _fingerprints(cells: Cells, name: str, load: "Callable[..., Loaded]") -> dict[str, Any]:
    """What the record of a cell's run would have if it began now."""
    from fggm_lab.training.run_config import data_fingerprints
    from fggm_lab.training.used_data import used_data

    (job,) = prepare(out=cells.out, quiet=True, **cells.options_of(name)).values()
    model, tokenizer, of_model = load(
        job.model, job.loading["dtype"], job.loading["trust_remote_code"]
    )
    used = used_data(model, tokenizer, job.tasks, job.general, job.settings)
    return {**of_model, **data_fingerprints(used.tasks, used.general)}


def _load(source: str, dtype: str | None, trust_remote_code: bool) -> "Loaded":
    """A model with its fingerprints, where it takes no memory from those that train."""
    from fggm_lab.models import load_model
    from fggm_lab.training.run_config import model_fingerprints

    model, tokenizer = load_model(
        source, device="cpu", dtype=dtype, trust_remote_code=trust_remote_code
    )
    return model, tokenizer, model_fingerprints(model, tokenizer)
