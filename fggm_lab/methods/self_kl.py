"""Self-KL: hold on to what the model was on texts of its own; no old data is stored.

The model draws texts from its own distribution, and of every token of them its log-probabilities
are recorded as a reference: before the first task on texts of the pretrained model, and after each
task on texts that begin as the task's prompts do, in their first few tokens. While it learns, each
step also draws it back to the reference, by the divergence KL(p_then ‖ p_now) on a few of the
texts. Each text keeps the reference of the model that drew it, so that nothing drifts from task to
task.

None of its parts is new. Samples of a model as a stand-in for data it no longer has are
pseudo-rehearsal (Robins 1995, Connection Science 7), for language models LAMOL (arXiv 1909.03329,
which trains on them, and on the prompts, so that they resemble the tasks) and L2KD (2010.02123).
The loss is that of LwF (1606.09282) on samples instead of the new task's inputs; KL on samples
without context is in 2505.13811, other uses of self-generated text in SSR (2403.01244), SelfAug
(2509.03934), SA-SFT (2602.20162) and 2605.26097. Keeping each item's own first logits is dark
experience replay (2004.07211) without the old data. On-policy self-distillation (SDFT, 2601.19897;
iSDFT, 2609.24646) is another thing: there the teacher is the model that is shown the answer.

A text that a model draws may repeat private text that it was trained on, and these are kept in the
run's folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerBase

from fggm_lab.checks import check_choice, check_count, check_range
from fggm_lab.distributed import on_main, share
from fggm_lab.errors import SettingError
from fggm_lab.fisher.factors import widen
from fggm_lab.methods.base import Method, Plan, TaskContext
from fggm_lab.methods.reference_texts import (
    MEMORY_PREFIX,
    ReferenceText,
    divergence,
    record_reference,
    store_openings,
    store_texts,
    stored_texts,
    taken_openings,
)
from fggm_lab.methods.replay import drawn_for_step
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import IGNORED, Encoded
from fggm_lab.models.sampling import beginning_token, continued_samples, warn_of_poor_samples
from fggm_lab.models.self_dialogue import (
    Form,
    draws_dialogues,
    own_dialogues,
    question_openings,
)

_DRAWN_AT_ONCE = 256
"""Texts per batch of drawing: a small model draws many in little more time than few."""


@dataclass(frozen=True)
class SelfKL(Method):
    """Rehearse texts that the model drew, with the log-probabilities that it then gave them.

    Adds to the loss of a step

        weight · mean over the tokens of `per_step` texts of KL(p_then ‖ p_now)
        + prompts · mean over the prompts' tokens of −log p_now

    p_then is recorded when a text is drawn: the log-probabilities of the `top` likeliest next
    tokens and of all others together, which is exact where `top` is the vocabulary and below the
    whole divergence otherwise. So no second model is held. Learning the prompts, as LAMOL does,
    makes the texts that are drawn after a task resemble it; its loss needs the logits of every
    prompt, which over a large vocabulary take longer than the answers'.

    Costs, beside plain fine-tuning: drawing `start_samples` texts once and `task_samples` a task,
    and `per_step` more rows in every so many steps.

    Attributes:
        weight: of the divergence.
        start_samples: how many texts are drawn before the first task, of all that the model knows.
        task_samples: how many texts are drawn after each task, of what it has learned.
        opening: how many tokens at the beginning of a training prompt, of a conversation its first
            question, begin such a text or dialogue; they are all that is kept of the data, until
            the texts are drawn. 0: none.
        start_share: the share of texts from before the first task in a step of later tasks.
        per_step: how many texts a step rehearses, drawn anew each time.
        every: rehearse at every so many steps only.
        length: the most tokens that are drawn for a text, or for each turn of a dialogue.
        prompts: the weight of the loss on the new examples' prompts; 0 leaves it out.
        form: `text`, `dialogue`, or `auto`: dialogues where the tokenizer has a chat template.
        top: how many log-probabilities are kept of each token.
    """

    name: ClassVar[str] = "self-kl"
    paper: ClassVar[str] = "this lab; after arXiv 1909.03329, 2004.07211 and 1606.09282"
    stores: ClassVar[str] = "texts that the model drew, as token ids, and their log-probabilities"

    weight: float = 1.0
    start_samples: int = 256
    task_samples: int = 64
    opening: int = 4
    start_share: float = 0.33
    per_step: int = 8
    every: int = 1
    length: int = 96
    prompts: float = 0.03
    form: Form = "auto"
    top: int = 32
    _start: list[ReferenceText] = field(default_factory=list, init=False, repr=False, compare=False)
    _later: list[ReferenceText] = field(default_factory=list, init=False, repr=False, compare=False)
    _step: list[ReferenceText] = field(default_factory=list, init=False, repr=False, compare=False)
    _tokens: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("per_step", "every", "length", "top"):
            check_count(name, getattr(self, name))
        for name in ("start_samples", "task_samples", "opening"):
            check_count(name, getattr(self, name), minimum=0)
        for name in ("weight", "prompts"):
            check_range(name, getattr(self, name), 0)
        check_range("start_share", self.start_share, 0, 1)
        check_choice("form", self.form, Form)

    # Before a task

    def plan(self, context: TaskContext) -> Plan:
        """Draw the texts that are due, and record the model's log-probabilities on them."""
        begun = any(key.startswith(MEMORY_PREFIX) for key in context.memory)
        openings = taken_openings(context.memory) if begun else [()] * self.start_samples
        if openings:
            drawn = self._draw(context, openings)
            warn_of_poor_samples(context.tokenizer, drawn)
            texts = [text.prompt + text.answer for text in drawn]
            references = on_main(lambda: record_reference(context.model, texts, self.top))
            store_texts(context.memory, context.index, references)
        return Plan()

    def _draw(self, context: TaskContext, openings: Sequence[tuple[int, ...]]) -> list[Encoded]:
        """Texts with these first tokens, or as many dialogues."""
        model, tokenizer, seed = context.model, context.tokenizer, context.seed_for("own samples")
        if draws_dialogues(self.form, tokenizer):
            return own_dialogues(
                model,
                tokenizer,
                len(openings),
                openings=openings,
                length=self.length,
                max_length=context.max_length,
                seed=seed,
                batch_size=_DRAWN_AT_ONCE,
            )
        room = min(context_length(model), context.max_length) - max(1, self.opening)
        if self.length > room:
            raise SettingError(
                f"self-kl draws {self.length} tokens after {max(1, self.opening)} to begin with, "
                f"and an example may have {room + max(1, self.opening)}; give a length of at most "
                f"{room}"
            )
        begin = (beginning_token(tokenizer),)
        return continued_samples(
            model,
            tokenizer,
            [opening or begin for opening in openings],
            length=self.length,
            seed=seed,
            batch_size=_DRAWN_AT_ONCE,
        )

    # During a task

    def start(self, context: TaskContext) -> None:
        """Read the texts and their reference log-probabilities from the memory."""
        stages = stored_texts(context.memory)
        for task, texts in stages.items():
            (self._start if task == min(stages) else self._later).extend(texts)

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        """The examples, then this step's texts, none of whose tokens is an answer."""
        texts_of_step: list[ReferenceText] = []
        if step % self.every == 0:
            from_start = self.per_step * (self.start_share if self._later else 1.0)
            parts = ((self._start, from_start), (self._later, self.per_step - from_start))
            for texts, count in parts:
                rng = context.rng("self-kl", step)
                texts_of_step += drawn_for_step(texts, count, step // self.every, rng)
        self._step[:] = share(texts_of_step)
        self._tokens[:] = [
            sum(len(text.ids) - 1 for text in texts_of_step),
            sum(len(example.prompt) - 1 for example in batch),
        ]
        return [*batch, *(Encoded(text.ids, (), False) for text in texts_of_step)]

    def reads_logits(self, batch: dict[str, Tensor]) -> bool:
        """Whether there are texts among it, or prompts are learned."""
        return self.prompts > 0 or bool((batch["labels"] == IGNORED).all(1).any())

    def summed_loss(self, batch: dict[str, Tensor], logits: Tensor) -> Tensor | None:
        """The divergence on the texts of this part of the step, and the loss of its prompts."""
        text_tokens, prompt_tokens = self._tokens
        predicted = batch["attention_mask"][:, 1:] == 1
        unlabelled = batch["labels"] == IGNORED
        rehearsed = unlabelled.all(1)
        terms = []
        if bool(rehearsed.any()):
            texts = [self._step.pop(0) for _ in range(int(rehearsed.sum()))]
            now = logits[:, :-1][predicted & rehearsed[:, None]]
            terms.append(divergence(now, texts) * (self.weight / text_tokens))
        in_prompt = predicted & unlabelled[:, 1:] & ~rehearsed[:, None]
        if self.prompts and bool(in_prompt.any()):
            now = widen(logits[:, :-1][in_prompt])
            loss = cross_entropy(now, batch["input_ids"][:, 1:][in_prompt], reduction="sum")
            terms.append(loss * (self.prompts / prompt_tokens))
        return torch.stack(terms).sum() if terms else None

    def finish(self) -> None:
        """Release the texts."""
        for texts in (self._start, self._later, self._step):
            texts.clear()

    # After a task

    def after_task(self, context: TaskContext) -> None:
        """Keep some prompts' first tokens, for the texts that are drawn before the next task."""
        rng = context.rng("self-kl")
        chosen = drawn_for_step(context.encoded, self.task_samples, 0, rng)
        prompts = [example.prompt for example in chosen]
        store_openings(context.memory, self.openings(context.tokenizer, prompts))

    def openings(
        self, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[tuple[int, ...]]
    ) -> list[tuple[int, ...]]:
        """What is kept of prompts.

        Args:
            tokenizer: the model's.
            prompts: as token ids.

        Returns:
            The first `opening` tokens of each, or of its first question where dialogues are drawn.
        """
        if draws_dialogues(self.form, tokenizer):
            return question_openings(tokenizer, prompts, self.opening)
        return [prompt[: self.opening] for prompt in prompts]
