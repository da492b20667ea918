"""Self-KL: hold on to what the model was on texts of its own; no old data is stored.

Before each task the model draws texts from its own distribution and writes down, for every token of
them, what it would have said: its log-probabilities. While it learns, each step also draws it back
to those notes, by the divergence KL(p_then ‖ p_now) on a few of the texts. The first task's texts
show what the pretrained model knew, later ones what it has learned since, and each text keeps the
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
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_choice, check_count, check_range
from fggm_lab.errors import SettingError
from fggm_lab.methods.base import Memory, Method, Plan, TaskContext
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import IGNORED, Encoded, collate, text_logits
from fggm_lab.models.sampling import own_samples

Stages = Literal["all", "first", "last"]
"""Whose texts are rehearsed: those of the model before every task, the first or the present one."""

_MEMORY = "self-kl."
_DRAWN_AT_ONCE = 256
"""Texts per batch of drawing: a small model draws many in little more time than few."""

_BATCH = 32
"""Texts per forward pass where log-probabilities are noted down."""


@dataclass(frozen=True)
class SelfKL(Method):
    """Rehearse texts that the model drew before each task, with what it then thought of them.

    Adds to the loss of a step

        weight · mean over the tokens of `per_step` texts of KL(p_then ‖ p_now)
        + prompts · mean over the prompts' tokens of −log p_now

    p_then is noted down when a text is drawn: the log-probabilities of the `top` likeliest next
    tokens and of all others together, which is exact where `top` is the vocabulary and below the
    whole divergence otherwise. So no second model is held, and the texts go through the model in
    the same pass as the batch. Learning the prompts, as LAMOL does, makes later texts look like the
    tasks learned before.

    Costs, beside plain fine-tuning: drawing `samples` texts a task, and `per_step` more rows in a
    step.

    Attributes:
        weight: of the divergence.
        samples: how many texts are drawn before each task.
        per_step: how many of them a step rehearses, drawn anew each time.
        every: rehearse at every so many steps only.
        length: the maximum number of tokens of a text.
        prompts: the weight of the loss on the new examples' prompts; 0 leaves it out.
        stages: whose texts are rehearsed: of the model before every task so far (`all`), before
            the first (`first`) or before the present one (`last`).
        top: how many log-probabilities are kept of each token.
    """

    name: ClassVar[str] = "self-kl"
    paper: ClassVar[str] = "this lab; after arXiv 1909.03329, 2004.07211 and 1606.09282"
    stores: ClassVar[str] = "texts that the model drew, as token ids, and their log-probabilities"

    weight: float = 1.0
    samples: int = 64
    per_step: int = 8
    every: int = 1
    length: int = 32
    prompts: float = 0.1
    stages: Stages = "all"
    top: int = 64
    _texts: list["NotedText"] = field(default_factory=list, init=False, repr=False, compare=False)
    _step: list["NotedText"] = field(default_factory=list, init=False, repr=False, compare=False)
    _tokens: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("samples", "per_step", "every", "length", "top"):
            check_count(name, getattr(self, name))
        for name in ("weight", "prompts"):
            check_range(name, getattr(self, name), 0)
        check_choice("stages", self.stages, Stages)

    # Before a task

    def plan(self, context: TaskContext) -> Plan:
        """Draw texts, and note down what the model thinks of them; every unit may move."""
        if self.stages != "first" or context.index == 0 or not stored_stages(context.memory):
            room = min(context_length(context.model), context.max_length)
            if self.length + 1 > room:
                raise SettingError(
                    f"self-kl draws texts of {self.length} tokens and one to begin with, and an "
                    f"example may have {room}; give a length of at most {room - 1}"
                )
            drawn = own_samples(
                context.model,
                context.tokenizer,
                self.samples,
                length=self.length,
                seed=context.seed_for("own samples"),
                batch_size=_DRAWN_AT_ONCE,
            )
            warn_of_poor_samples(context.tokenizer, drawn)
            if self.stages == "last":
                forget_stages(context.memory)
            store_stage(
                context.memory,
                context.index,
                note_down(context.model, [t.prompt + t.answer for t in drawn], self.top),
            )
        return Plan()

    # During a task

    def start(self, context: TaskContext) -> None:
        """Read the texts and their notes from the memory."""
        for stage in stored_stages(context.memory):
            self._texts.extend(stage)

    def batch(self, context: TaskContext, batch: list[Encoded], step: int) -> list[Encoded]:
        """The examples, then this step's texts, none of whose tokens is an answer."""
        self._step.clear()
        if step % self.every == 0:
            chosen = context.rng("self-kl", step).permutation(len(self._texts))[: self.per_step]
            self._step.extend(self._texts[i] for i in chosen)
        texts = [Encoded(text.ids, (), False) for text in self._step]
        self._tokens[:] = [
            sum(len(text.ids) - 1 for text in self._step),
            sum(len(example.prompt) - 1 for example in batch),
        ]
        return [*batch, *texts]

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
            now = logits[:, :-1][in_prompt]
            loss = cross_entropy(_wide(now), batch["input_ids"][:, 1:][in_prompt], reduction="sum")
            terms.append(loss * (self.prompts / prompt_tokens))
        return torch.stack(terms).sum() if terms else None

    def finish(self) -> None:
        """Release the texts."""
        self._texts.clear()
        self._step.clear()


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
        for start in range(0, len(texts), _BATCH):
            part = texts[start : start + _BATCH]
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


def store_stage(memory: Memory, task: int, texts: Sequence[NotedText]) -> None:
    """Write the texts of the model before a task into the memory.

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


def stored_stages(memory: Memory) -> list[list[NotedText]]:
    """Read the texts from the memory, those of each task by themselves, in order."""
    stages = []
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
        stages.append([NotedText(tuple(ids.tolist()), top, log_p) for ids, top, log_p in parts])
    return stages


def forget_stages(memory: Memory) -> None:
    """Take all texts out of the memory."""
    for key in [key for key in memory if key.startswith(_MEMORY)]:
        del memory[key]


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
