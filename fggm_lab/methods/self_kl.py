"""Self-KL: hold on to what the model was on texts of its own; no old data is stored.

The model draws texts from its own distribution, and of every token of them its log-probabilities
are noted down: before the first task texts of the pretrained model, and after each task texts that
begin as the task's prompts do, in their first few tokens. While it learns, each step also draws it
back to those notes, by the divergence KL(p_then ‖ p_now) on a few of the texts. Each text keeps the
notes of the model that drew it, so that nothing drifts from task to task.

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

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_choice, check_count, check_range
from fggm_lab.distributed import on_main, share
from fggm_lab.errors import SettingError
from fggm_lab.methods.base import Memory, Method, Plan, TaskContext
from fggm_lab.methods.replay import drawn_for_step
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import IGNORED, Encoded, collate, text_logits
from fggm_lab.models.sampling import beginning_token, continued_samples
from fggm_lab.models.self_dialogue import (
    Form,
    draws_dialogues,
    own_dialogues,
    question_openings,
)

_MEMORY = "self-kl."
_OPENINGS = f"{_MEMORY}openings"
_DRAWN_AT_ONCE = 256
"""Texts per batch of drawing: a small model draws many in little more time than few."""
_NOTED_AT_ONCE = 32
"""Texts per forward pass where log-probabilities are noted down."""


@dataclass(frozen=True)
class SelfKL(Method):
    """Rehearse texts that the model drew, with what it then thought of them.

    Adds to the loss of a step

        weight · mean over the tokens of `per_step` texts of KL(p_then ‖ p_now)
        + prompts · mean over the prompts' tokens of −log p_now

    p_then is noted down when a text is drawn: the log-probabilities of the `top` likeliest next
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
    _start: list["NotedText"] = field(default_factory=list, init=False, repr=False, compare=False)
    _later: list["NotedText"] = field(default_factory=list, init=False, repr=False, compare=False)
    _step: list["NotedText"] = field(default_factory=list, init=False, repr=False, compare=False)
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
        """Draw the texts that are due, and note down what the model thinks of them."""
        begun = any(key.startswith(_MEMORY) for key in context.memory)
        openings = taken_openings(context.memory) if begun else [()] * self.start_samples
        if openings:
            drawn = self._draw(context, openings)
            warn_of_poor_samples(context.tokenizer, drawn)
            texts = [text.prompt + text.answer for text in drawn]
            noted = on_main(lambda: note_down(context.model, texts, self.top))
            store_texts(context.memory, context.index, noted)
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
        """Read the texts and their notes from the memory."""
        stages = stored_texts(context.memory)
        for task, texts in stages.items():
            (self._start if task == min(stages) else self._later).extend(texts)

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        """The examples, then this step's texts, none of whose tokens is an answer."""
        texts_of_step: list[NotedText] = []
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
            now = _wide(logits[:, :-1][in_prompt])
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


# Texts and notes


@dataclass(frozen=True)
class NotedText:
    """A text, and what the model that drew it thought would come at each of its tokens.

    Attributes:
        ids: its T token ids, the beginning token first.
        likeliest: the ids of the k likeliest tokens at each position but the first, (T − 1, k).
        log_probabilities: of these, and of all others together, (T − 1, k + 1), float32; the last
            is −∞ where k is the vocabulary.
    """

    ids: tuple[int, ...]
    likeliest: Tensor
    log_probabilities: Tensor


@torch.no_grad()
def note_down(
    model: PreTrainedModel, texts: Sequence[tuple[int, ...]], top: int
) -> list[NotedText]:
    """Note down what a model thinks would come at each token of texts.

    Args:
        model: a causal language model.
        texts: token ids, two or more of each.
        top: how many log-probabilities are kept of each token, at most the vocabulary.

    Returns:
        One for each text, on the CPU.
    """
    training = model.training
    model.eval()
    noted: list[NotedText] = []
    try:
        for start in range(0, len(texts), _NOTED_AT_ONCE):
            part = texts[start : start + _NOTED_AT_ONCE]
            batch = collate([Encoded(ids, (), False) for ids in part], 0)
            output = model(
                input_ids=batch["input_ids"].to(model.device),
                attention_mask=batch["attention_mask"].to(model.device),
                use_cache=False,
            )
            logits = text_logits(output.logits, batch["input_ids"].shape[1])
            for ids, rows in zip(part, logits, strict=True):
                positions = _wide(rows[: len(ids) - 1])
                likeliest = positions.topk(min(top, positions.shape[-1]), dim=-1).indices
                thought = with_rest(positions, likeliest).float().cpu()
                noted.append(NotedText(ids, likeliest.cpu(), thought))
    finally:
        model.train(training)
    return noted


def with_rest(logits: Tensor, index: Tensor) -> Tensor:
    """Log-probabilities of some tokens, and of all others together.

    Args:
        logits: (N, vocabulary), in float32 or wider.
        index: (N, k), the tokens' ids.

    Returns:
        (N, k + 1); the last column is −∞ where k is the vocabulary.
    """
    log_p = log_softmax(logits, dim=-1)
    # Summing the others keeps what 1 − the sum of the chosen would lose to rounding.
    others = log_p.scatter(1, index, -torch.inf).logsumexp(1, keepdim=True)
    return torch.cat([log_p.gather(1, index), others], 1)


def divergence(logits: Tensor, texts: Sequence[NotedText]) -> Tensor:
    """KL(p_then ‖ p_now) summed over texts' tokens, the tokens that are not noted taken as one.

    Args:
        logits: of the model now, at the positions that predict the tokens of one text after the
            other, (N, vocabulary).
        texts: with their notes on N tokens in all.

    Returns:
        A scalar, nats. As tokens are put together, it is at most the divergence over the whole
        vocabulary.
    """
    likeliest = torch.cat([text.likeliest for text in texts]).to(logits.device)
    then = torch.cat([text.log_probabilities for text in texts]).to(logits.device)
    if likeliest.shape[1] == logits.shape[1]:  # no others: 0 · (−∞ + ∞) would be no number
        now = log_softmax(_wide(logits), dim=-1).gather(1, likeliest)
        then = then[:, :-1]
    else:
        now = with_rest(_wide(logits), likeliest)
    return (then.exp() * (then - now)).sum()


def _wide(logits: Tensor) -> Tensor:
    """In float32 or wider."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


# What is remembered


def store_texts(memory: Memory, task: int, texts: Sequence[NotedText]) -> None:
    """Write the texts that the model drew before a task into the memory.

    Args:
        memory: of the method.
        task: the task's position in the sequence, from 0.
        texts: what to remember; their ids are written one text after the other.
    """
    name = f"{_MEMORY}{task:04d}."
    memory[f"{name}ids"] = torch.tensor([i for t in texts for i in t.ids], dtype=torch.int32)
    memory[f"{name}lengths"] = torch.tensor([len(t.ids) for t in texts], dtype=torch.int32)
    memory[f"{name}likeliest"] = torch.cat([t.likeliest for t in texts]).to(torch.int32)
    memory[f"{name}log_probabilities"] = torch.cat([t.log_probabilities for t in texts])


def stored_texts(memory: Memory) -> dict[int, list[NotedText]]:
    """Read the texts from the memory, by the task before which they were drawn, in order."""
    stages = {}
    for key in sorted(k for k in memory if k.startswith(_MEMORY) and k.endswith(".lengths")):
        name = key.removesuffix("lengths")
        lengths = memory[key].tolist()
        predicted = [length - 1 for length in lengths]
        parts = zip(
            memory[f"{name}ids"].split(lengths),
            memory[f"{name}likeliest"].long().split(predicted),
            memory[f"{name}log_probabilities"].split(predicted),
            strict=True,
        )
        task = int(name.removeprefix(_MEMORY).removesuffix("."))
        stages[task] = [NotedText(tuple(ids.tolist()), top, log_p) for ids, top, log_p in parts]
    return stages


def store_openings(memory: Memory, openings: Sequence[tuple[int, ...]]) -> None:
    """Write the first tokens of the texts that are drawn next into the memory.

    Args:
        memory: of the method.
        openings: token ids, none or a few each; written as rows filled up with −1.
    """
    rows = torch.full((len(openings), max(map(len, openings), default=0)), -1, dtype=torch.int32)
    for row, opening in zip(rows, openings, strict=True):
        row[: len(opening)] = torch.tensor(opening, dtype=torch.int32)
    memory[_OPENINGS] = rows


def taken_openings(memory: Memory) -> list[tuple[int, ...]]:
    """Take what `store_openings` wrote out of the memory; nothing where there is nothing."""
    rows = memory.pop(_OPENINGS, torch.empty(0, 0))
    return [tuple(i for i in row if i >= 0) for row in rows.tolist()]


def warn_of_poor_samples(tokenizer: PreTrainedTokenizerBase, drawn: Sequence[Encoded]) -> None:
    """Warn where all texts are empty, or all the same: then they say little about the model.

    Args:
        tokenizer: whose end token a text that is empty consists of.
        drawn: the texts, as `own_samples` gives them.
    """
    answers = {text.answer for text in drawn}
    empty = all(set(answer) <= {tokenizer.eos_token_id} for answer in answers)
    if empty or (len(answers) == 1 and len(drawn) > 1):
        example = tokenizer.decode(next(iter(answers)))
        warnings.warn(
            f"the {len(drawn)} texts that the model drew are all "
            f"{'empty' if empty else 'the same'}, such as {example!r}, so they protect little of "
            "what it knows; a model that is to draw must have been trained to begin with its "
            "beginning token",
            stacklevel=2,
        )
