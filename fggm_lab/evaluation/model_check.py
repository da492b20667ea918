"""One probe per model: would scoring, training and generating be right on this family?

A few passes over two texts of a few tokens ask what the lab relies on: that a token is predicted
from those before it only, that padding changes nothing, that the family's own loss is the lab's
likelihood, that batched greedy answers are the single ones, and which parameters have a rule.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.evaluation.generate import generate
from fggm_lab.fisher.likelihood import (
    LONGER_TEXT,
    SHORTER_TEXT,
    AnswerLikelihood,
    sees_later_tokens,
)
from fggm_lab.fisher.objectives import data_likelihood
from fggm_lab.fisher.per_example import PerExampleFisher
from fggm_lab.fisher.square_sums import SquareSums
from fggm_lab.models.encoding import Encoded, collate, encode_prompts, text_logits
from fggm_lab.models.loss import answer_loss, differ
from fggm_lab.models.modes import evaluating
from fggm_lab.models.units import unit_axes

Outcome = Literal["exact", "slow", "handled", "unused", "refused", "wrong"]
"""What a question about a model came to: `exact`; exact, but `slow`, one example at a time; another
than the lab needs, but `handled`; parameters `unused` on the probe's text; `refused`, it cannot be
computed; `wrong`, the lab's numbers for this model would be."""

TEXT = "Question: which number comes after 41? Answer: 42, and after that comes 43."
"""Where the probe's tokens come from."""

NEW = 3
"""The tokens of an answer."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question about a model.

    Attributes:
        question: what was asked.
        outcome: what it came to.
        detail: a sentence on it.
    """

    question: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True)
class ModelCheck:
    """What a probe found out about a model.

    Attributes:
        model: the name of the model's class.
        findings: one for each question; a question on parameters may have several.
    """

    model: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong or refused."""
        return all(finding.outcome not in ("wrong", "refused") for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The findings as JSON, with `ok`."""
        return {"model": self.model, "ok": self.ok, "findings": [asdict(f) for f in self.findings]}


def check_model(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> ModelCheck:
    """Find out whether the lab's numbers are right for a model.

    The model comes back as it was. The cost is that of scoring an example or two.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer; needs an end token.

    Returns:
        The findings.
    """
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    probe = _Probe(model, tokenizer, pad)
    questions: dict[str, Callable[[], list[Finding]]] = {
        "predicts from earlier tokens only": probe.causality,
        "a padded row counts as the row alone": probe.padding,
        "the family's own loss": probe.own_loss,
        "batched greedy answers": probe.greedy,
        "scores of parameters": probe.parameters,
    }
    findings: list[Finding] = []
    with evaluating(model):
        for question, ask in questions.items():
            try:
                findings += ask()
            except Exception as problem:  # any class: what a model's own code raises
                lines = str(problem).strip().splitlines() or [type(problem).__name__]
                findings.append(Finding(question, "refused", lines[0]))
    return ModelCheck(type(model).__name__, tuple(findings))


class _Probe:
    """Two texts, what the model says of each by itself, and the questions."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pad: int
    ) -> None:
        self._model, self._tokenizer, self._pad = model, tokenizer, pad
        ids = encode_prompts(tokenizer, [TEXT], len(TEXT))[0].prompt
        ids = (ids * LONGER_TEXT)[:LONGER_TEXT]
        self._texts = [
            Encoded(ids[:half], ids[half:length], False)
            for length in (LONGER_TEXT, SHORTER_TEXT)
            for half in (length // 2,)
        ]
        self._logits: list[Tensor] = []

    def _batch(self, texts: Sequence[Encoded]) -> dict[str, Tensor]:
        batch = collate(texts, self._pad)
        return {name: tensor.to(self._model.device) for name, tensor in batch.items()}

    @torch.no_grad()
    def _alone(self) -> list[Tensor]:
        """The logits (1, T, vocabulary) of each text by itself, as training computes them."""
        if not self._logits:
            for text in self._texts:
                batch = self._batch([text])
                del batch["labels"]
                logits = self._model(**batch, use_cache=False).logits
                self._logits.append(text_logits(logits, len(text)))
        return self._logits

    def _mean_losses(self) -> list[float]:
        """The mean negative log-likelihood per token of each text's answer."""
        return [
            float(answer_loss(logits, self._batch([text])["labels"]))
            for logits, text in zip(self._alone(), self._texts, strict=True)
        ]

    def causality(self) -> list[Finding]:
        """Whether the first predictions of a text are those of its beginning."""
        question = "predicts from earlier tokens only"
        if sees_later_tokens(self._model):
            return [
                Finding(question, "wrong", "later tokens change its predictions: it sees answers")
            ]
        return [Finding(question, "exact", "later tokens change nothing")]

    @torch.no_grad()
    def padding(self) -> list[Finding]:
        """Whether both texts in one batch have the likelihood that they have alone."""
        question = "a padded row counts as the row alone"
        alone = sum(
            -loss * len(text.answer)
            for loss, text in zip(self._mean_losses(), self._texts, strict=True)
        )
        together = float(AnswerLikelihood(self._model)(self._batch(self._texts)))
        if differ(together, alone, self._model.dtype):
            return [
                Finding(question, "wrong", f"log-likelihood {together:.5g} instead of {alone:.5g}")
            ]
        return [Finding(question, "exact", "the same log-likelihood")]

    @torch.no_grad()
    def own_loss(self) -> list[Finding]:
        """Whether the model's `.loss` is the lab's likelihood."""
        question = "the family's own loss"
        expected = self._mean_losses()[0]
        try:
            output = self._model(**self._batch(self._texts[:1]), use_cache=False)
            family_loss = float("nan") if output.loss is None else float(output.loss)
        except Exception:  # any class: a loss made for other labels; the lab does not ask for it
            family_loss = float("nan")
        if differ(family_loss, expected, self._model.dtype):
            return [
                Finding(
                    question,
                    "handled",
                    f"{family_loss:.4g} instead of {expected:.4g}: the lab trains on its own; give "
                    "a Trainer compute_loss_func",
                )
            ]
        return [Finding(question, "exact", "the lab's likelihood")]

    def greedy(self) -> list[Finding]:
        """Whether greedy answers in one batch are the single ones, and begin with the likeliest."""
        question = "batched greedy answers"
        prompts = [text.prompt + text.answer for text in self._texts]
        together = self._generated(prompts, 2)
        alone = self._generated(prompts, 1)
        first = [
            self._tokenizer.decode(logits[0, -1].argmax(), skip_special_tokens=True)
            for logits in self._alone()
        ]
        if alone == together and all(a.startswith(f) for a, f in zip(alone, first, strict=True)):
            return [Finding(question, "exact", "the same as single ones")]
        if self._model.dtype not in (torch.float32, torch.float64):
            detail = f"differ, as rounding may make them in {self._model.dtype}; check in float32"
            return [Finding(question, "handled", detail)]
        what = "the likeliest tokens" if alone == together else "the single ones"
        return [Finding(question, "wrong", f"are not {what}")]

    def _generated(self, prompts: Sequence[Sequence[int]], batch_size: int) -> list[str]:
        limits = [NEW] * len(prompts)
        return generate(self._model, self._tokenizer, prompts, limits, batch_size)

    def parameters(self) -> list[Finding]:
        """Which trained parameters a rule scores, which autograd, and which have no gradient."""
        question = "scores of parameters"
        trained = {
            name: parameter
            for name, parameter in self._model.named_parameters()
            if parameter.requires_grad and parameter.is_floating_point()
        }
        if not trained:
            return [Finding(question, "refused", "no parameter that could be scored is trained")]
        axes = unit_axes(self._model)
        sums = SquareSums(trained, {name: axes[name] for name in trained}, False)
        fisher = PerExampleFisher(self._model, data_likelihood(self._model), sums)
        batch = self._batch(self._texts[:1])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="no rule covers")
            fisher.check(batch)
            value = fisher.add(lambda indices: batch, [0])
        if not value.isfinite() or (unsound := sums.unsound()) is not None:
            where = "the likelihood" if not value.isfinite() else f"the gradient of {unsound}"
            return [Finding(question, "refused", f"{where} is not a finite number")]
        units, _ = sums.means(1)
        unused = [name for name, scores in units.items() if not scores.any()]
        slow = [name for name in trained if name in sums.generic and name not in unused]
        ruled = len(trained) - len(set(slow) | set(unused))
        findings = [Finding(question, "exact", f"{ruled} of {len(trained)} by a rule")]
        if slow:
            findings.append(Finding(question, "slow", f"{_listed(slow)}: by autograd, exact"))
        if unused:
            findings.append(
                Finding(question, "unused", f"{_listed(unused)}: no gradient on this text")
            )
        return findings


def _listed(names: Sequence[str]) -> str:
    """How many parameters, and the first few by name."""
    more = ", …" if len(names) > 3 else ""
    return f"{len(names)}: {', '.join(names[:3])}{more}"
