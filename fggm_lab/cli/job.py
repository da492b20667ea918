"""One run of a command that trains: what it needs, so that another process can train it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fggm_lab.cli.plain_prompts import warn_of_plain_prompts

if TYPE_CHECKING:  # imports torch, which would slow every command's start
    from fggm_lab.runs import Run
    from fggm_lab.runs.events import Event
    from fggm_lab.settings import TrainingSettings
    from fggm_lab.tasks import General, TaskSequence


@dataclass(frozen=True)
class TrainingJob:
    """A method, and everything that it is trained with; it can be pickled.

    Attributes:
        method: its name, as `make_method` takes it.
        method_settings: its settings.
        out: the run folder.
        model: what `load_model` takes; `loading` its further arguments.
        tasks: the sequence.
        general: what General is measured on.
        settings: how to train.
        branch: the folder of another run, and the 0-based task after which to take it up.
        options: further arguments of `run_sequence`.
    """

    method: str
    method_settings: Mapping[str, Any]
    out: Path
    model: str
    loading: Mapping[str, Any]
    tasks: "TaskSequence"
    general: "General | None"
    settings: "TrainingSettings"
    branch: tuple[Path, int] | None
    options: Mapping[str, Any]

    def __call__(self, listener: "Callable[[Event], None] | None" = None) -> "Run":
        """Train it, or go on with it.

        Args:
            listener: called with every event.

        Returns:
            The finished run.

        Raises:
            LabError: it cannot be trained so.
        """
        from fggm_lab.methods import make_method
        from fggm_lab.models import load_model
        from fggm_lab.training import run_sequence

        network, tokenizer = load_model(self.model, for_training=True, **self.loading)
        warn_of_plain_prompts(self.model, tokenizer, self.tasks)
        return run_sequence(
            network,
            tokenizer,
            self.tasks,
            make_method(self.method, **self.method_settings),
            self.out,
            general=self.general,
            settings=self.settings,
            model_name=self.model,
            branch=self.branch,
            in_place=True,
            listener=listener,
            **self.options,
        )
