"""Self-replay: texts that the model drew itself before a task are trained on beside the new ones.

Rehearsal without old data is pseudo-rehearsal (Robins 1995, Connection Science 7). For language
models: LAMOL (arXiv 1909.03329) draws old tasks' examples, SSR (arXiv 2403.01244) makes them by
in-context learning and lets the latest model answer them anew, self-generated replay (arXiv
2605.26097) draws from the model's own distribution, SA-SFT (arXiv 2602.20162) lets a chat model
talk to itself before fine-tuning and mixes the dialogues with the task's data. Of the last two we
could read abstracts and summaries alone, so the details here are ours.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from fggm_lab.checks import check_choice, check_count, check_range
from fggm_lab.methods.base import Method, Plan, TaskContext
from fggm_lab.methods.replay import drawn_for_step, keep_examples, kept_examples
from fggm_lab.models.encoding import Encoded
from fggm_lab.models.sampling import own_samples, warn_of_poor_samples
from fggm_lab.models.self_dialogue import Form, draws_dialogues, own_dialogues

_MEMORY = "self-replay."


@dataclass(frozen=True)
class SelfReplay(Method):
    """Draw texts from the model before each task, and add some of them to each of its batches.

    Texts are drawn from the beginning token, dialogues from where the chat template lets a user
    speak; both at temperature 1. Every token that was drawn is learned, of a dialogue those of the
    answer. A batch's loss is the mean over all its tokens, so long samples outweigh short answers.

    Costs `samples` generations before each task, and 1 + `ratio` times the examples of each step.
    A sample may repeat private text that the model was trained on; a task's are in the run's saved
    state while the task is learned.

    Attributes:
        samples: how many texts are drawn before each task.
        length: the most tokens of a text, or of each turn of a dialogue; less where the maximum
            length of an example says so.
        ratio: samples per example of the task in a batch.
        form: `text`, `dialogue`, or `auto`: dialogues where the tokenizer has a chat template.
    """

    name: ClassVar[str] = "self-replay"
    paper: ClassVar[str] = "arXiv 2605.26097; for chat models arXiv 2602.20162"
    stores: ClassVar[str] = "nothing; during a task, texts of the model from before it"

    samples: int = 192
    length: int = 64
    ratio: float = 1.0
    form: Form = "auto"
    _drawn: list[Encoded] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_count("samples", self.samples)
        check_count("length", self.length)
        check_range("ratio", self.ratio, 0)
        check_choice("form", self.form, Form)

    def plan(self, context: TaskContext) -> Plan:
        """Draw the texts; they are in the memory until the task is learned."""
        drawn = self._draw(context)
        warn_of_poor_samples(context.tokenizer, drawn)
        keep_examples(context.memory, context.index, drawn, _MEMORY)
        return Plan()

    def _draw(self, context: TaskContext) -> list[Encoded]:
        model, tokenizer, seed = context.model, context.tokenizer, context.seed_for("own samples")
        if draws_dialogues(self.form, tokenizer):
            return own_dialogues(
                model,
                tokenizer,
                self.samples,
                length=self.length,
                max_length=context.max_length,
                seed=seed,
            )
        length = min(self.length, context.max_length - 1)  # a beginning token comes before it
        return own_samples(model, tokenizer, self.samples, length=length, seed=seed)

    def start(self, context: TaskContext) -> None:
        """Read the texts from the memory."""
        self._drawn.extend(kept_examples(context.memory, _MEMORY))

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        """The task's examples, then the texts drawn for this step."""
        rng = context.rng("self-replay", step)
        return [*batch, *drawn_for_step(self._drawn, self.ratio * len(batch), step, rng)]

    def finish(self) -> None:
        """Release them."""
        self._drawn.clear()

    def after_task(self, context: TaskContext) -> None:
        """Forget the texts."""
        for name in [name for name in context.memory if name.startswith(_MEMORY)]:
            del context.memory[name]
