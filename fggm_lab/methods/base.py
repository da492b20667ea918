"""What every method is: a mask or none before a task, and a word on each gradient during it."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherScores
from fggm_lab.masks import Mask
from fggm_lab.models.encoding import Encoded, HasPromptAndAnswer


@dataclass(frozen=True)
class TaskContext:
    """What a method may look at before a task: the model and the new task's training data.

    Attributes:
        examples, encoded: the training examples, as text and as token ids.
        name, index: the task's name and its 0-based place in the sequence.
        seed: the run's seed.
        max_length: the most tokens an example may have.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    examples: tuple[HasPromptAndAnswer, ...]
    encoded: list[Encoded]
    name: str
    index: int
    seed: int
    max_length: int


@dataclass(frozen=True)
class Plan:
    """What a method decided for one task.

    Attributes:
        mask: the units that may move; None lets every unit move.
        scores: the scores the mask was cut from, kept for those who want to look.
    """

    mask: Mask | None = None
    scores: FisherScores | None = None


@dataclass(frozen=True)
class Method:
    """Base of all methods; its dataclass fields are its settings.

    A method of your own overrides what it needs, usually `plan` alone. The training loop keeps
    frozen units bit-identical whatever the optimiser does, so a mask is all a method must give.
    """

    name: ClassVar[str]
    paper: ClassVar[str]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings, ready for JSON."""
        return asdict(self)

    def plan(self, context: TaskContext) -> Plan:
        """Decide before a task; called once per task, not again on resume."""
        return Plan()

    def start(self, context: TaskContext) -> None:
        """Training of a task starts or resumes: attach hooks here."""

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Gradients are there, neither masked nor clipped yet: change `.grad` in place here."""

    def finish(self) -> None:
        """Training of a task ended or was interrupted: detach hooks here."""


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise a `SettingError` naming the choices unless `value` is one of them."""
    if value not in choices:
        raise SettingError(f"{name} is '{value}'; choose one of: {', '.join(choices)}")


def check_keep(keep: float) -> None:
    """Raise a `SettingError` unless `keep` is a share in (0, 1]."""
    if not 0 < keep <= 1:
        raise SettingError(
            f"keep is {keep}; it is the share of units that may move and must be in (0, 1]"
        )
