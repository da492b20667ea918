"""Which tokens of a prompt an answer depends on.

Captum's attribution classes for language models do the work: integrated gradients along the
embeddings (Sundararajan et al., arXiv 1703.01365), or ablation of one token after another.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from captum.attr import (
    FeatureAblation,
    LayerIntegratedGradients,
    LLMAttribution,
    LLMGradientAttribution,
    TextTokenInput,
)
from captum.attr._core.llm_attr import LLMAttributionResult
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.checks import check_count
from fggm_lab.errors import DataError, ModelError, SettingError
from fggm_lab.models.build import checked_length
from fggm_lab.models.encoding import Encoded, HasPromptAndAnswer, encode
from fggm_lab.models.modes import evaluating
from fggm_lab.models.token_texts import token_texts

Attribution = Literal["gradients", "ablation"]
"""How tokens are scored."""
ATTRIBUTIONS: dict[Attribution, str] = {
    "gradients": "integrated gradients from a baseline prompt: the scores add up to the difference",
    "ablation": "what the answer loses if one token is replaced by the baseline token",
}
"""What the scores of each are."""


@dataclass(frozen=True, eq=False)
class TokenAttribution:
    """How much each token of a prompt speaks for each token of an answer, in nats.

    Attributes:
        prompt, answer: the tokens as text, n and m of them; the answer's last is the end token.
        scores: (m, n); positive raises log p of the answer token, negative lowers it.
        difference: (m,), log p of each answer token given the prompt, less that given a prompt of
            baseline tokens.
        method: a key of `ATTRIBUTIONS`.
    """

    prompt: tuple[str, ...]
    answer: tuple[str, ...]
    scores: Tensor
    difference: Tensor
    method: Attribution

    @property
    def total(self) -> Tensor:
        """(n,): each prompt token's score for the whole answer."""
        return self.scores.sum(0)

    @property
    def delta(self) -> float:
        """How far the scores are from adding up: max over answer tokens of |Σ scores − difference|.

        Integrated gradients are complete, so this is their numerical error (captum's convergence
        delta) and shrinks with `steps`; ablation scores need not add up.
        """
        return float((self.scores.sum(1) - self.difference).abs().max())

    def drift_to(self, after: "TokenAttribution") -> float | None:
        """1 − the cosine to another attribution: see `fggm_lab.attribution.attribution_drift`.

        Args:
            after: of the same example.

        Returns:
            From 0 to 2; None where one of the two is zero everywhere.

        Raises:
            DataError: they are of different tokens.
        """
        if (self.prompt, self.answer) != (after.prompt, after.answer):
            raise DataError(
                "the attributions are of different tokens; compare those of one example"
            )
        a, b = self.total.double(), after.total.double()
        length = a.norm() * b.norm()
        return max(0.0, float(1 - (a @ b) / length)) if length > 0 else None


def attribute_tokens(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    example: HasPromptAndAnswer,
    *,
    method: Attribution = "gradients",
    steps: int = 32,
    baseline: int | None = None,
    max_length: int | None = None,
) -> TokenAttribution:
    """Score every token of an example's prompt by what it does for the answer's log-likelihood.

    Args:
        model: a causal language model of transformers; it comes back as it was.
        tokenizer: its tokenizer.
        example: `.prompt` and `.answer`.
        method: a key of `ATTRIBUTIONS`.
        steps: the number of steps of the integral, for `gradients`; more steps, a smaller `delta`.
        baseline: the id of the token that stands for no information; by default the end token.
            Padding is a poor choice: it is often embedded as zero, where a norm turns any small
            step into a large one that the integral misses; `delta` is large then.
        max_length: the most tokens; longer prompts are cut from the left. By default the context.

    Returns:
        The scores, (answer tokens, prompt tokens).

    Raises:
        SettingError: `method` or `steps` is outside what it may be.
        DataError: the answer does not fit.
        ModelError: the scores are not finite numbers; or, for `gradients`, tokens reach the model
            otherwise than by its input embeddings, or its embeddings cannot be varied.
    """
    if method not in ATTRIBUTIONS:
        raise SettingError(
            f"no attribution is named '{method}'; there are: {', '.join(ATTRIBUTIONS)}"
        )
    check_count("steps", steps)
    encoded = encode(tokenizer, [example], checked_length(model, max_length))[0]
    baseline = tokenizer.eos_token_id if baseline is None else baseline
    prompt_tokens = _Tokens(encoded, tokenizer, baseline)
    target = torch.tensor(encoded.answer, device=model.device)
    with evaluating(model):
        if method == "gradients":
            _check_embeddings(model, encoded, baseline)
            attribution = _integrated_gradients(model, tokenizer, prompt_tokens, target, steps)
        else:
            with torch.no_grad():
                attribution = LLMAttribution(FeatureAblation(model), tokenizer).attribute(
                    prompt_tokens, target, forward_in_tokens=False
                )
        full = _log_likelihoods(model, prompt_tokens.inp_tensor, target)
        empty = _log_likelihoods(model, torch.full_like(prompt_tokens.inp_tensor, baseline), target)
    scores, difference = attribution.token_attr.detach().cpu(), (full - empty).cpu()
    if not scores.isfinite().all():
        raise ModelError("the attribution is not a finite number; load the model in float32")
    return TokenAttribution(
        prompt=token_texts(tokenizer, encoded.prompt),
        answer=token_texts(tokenizer, encoded.answer),
        scores=scores.reshape(len(encoded.answer), len(encoded.prompt)),
        difference=difference,
        method=method,
    )


class _Tokens(TextTokenInput):
    """A prompt for captum that is token ids already, encoded as in training."""

    def __init__(self, encoded: Encoded, tokenizer: PreTrainedTokenizerBase, baseline: int) -> None:
        self.inp_tensor = self.itp_tensor = torch.tensor([encoded.prompt])
        self.itp_mask = self.skip_tokens = None
        self.values = list(token_texts(tokenizer, encoded.prompt))
        self.tokenizer, self.baselines = tokenizer, baseline
        self.n_itp_features = len(encoded.prompt)


def _integrated_gradients(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: _Tokens,
    target: Tensor,
    steps: int,
) -> LLMAttributionResult:
    """Captum's, whose failures on embeddings of an unusual layout become one sentence."""
    integrated = LayerIntegratedGradients(model, model.get_input_embeddings())
    try:
        return LLMGradientAttribution(integrated, tokenizer).attribute(
            prompt, target, n_steps=steps
        )
    except (RuntimeError, IndexError, AssertionError) as problem:
        if isinstance(problem, torch.OutOfMemoryError):
            raise
        raise ModelError(
            f"gradients along the embeddings of {family_name(model)} cannot be integrated "
            f"({str(problem).splitlines()[0][:100]}); use method='ablation'"
        ) from problem


@torch.no_grad()
def _check_embeddings(model: PreTrainedModel, encoded: Encoded, baseline: int) -> None:
    """Check that tokens reach the model by its input embeddings alone.

    If they do, the embeddings of one text, put in the place of another's, give the same logits.
    They do not in Gemma 3n, every layer of which looks the tokens up again.

    Args:
        model: the model.
        encoded: an example.
        baseline: the token of the other text.

    Raises:
        ModelError: they do not.
    """
    ids = torch.tensor([encoded.prompt + encoded.answer], device=model.device)
    embedded: list[Tensor] = []

    def hook(module: Any, args: Any, output: Tensor) -> Tensor:
        embedded.append(output)
        return embedded[0]

    handle = model.get_input_embeddings().register_forward_hook(hook)
    try:
        logits, replaced = (
            model(input_ids=text, use_cache=False).logits
            for text in (ids, torch.full_like(ids, baseline))
        )
    finally:
        handle.remove()
    bound = 1e-4 if model.dtype in (torch.float32, torch.float64) else 1e-2
    if (logits - replaced).norm() > bound * logits.norm():
        raise ModelError(
            f"tokens reach {family_name(model)} in other ways than by its input embeddings, so "
            "that gradients along these miss a part; use method='ablation'"
        )


def family_name(model: PreTrainedModel) -> str:
    """What messages call a model's family: its class and model type."""
    return f"{type(model).__name__} ({model.config.model_type})"


@torch.no_grad()
def _log_likelihoods(model: PreTrainedModel, prompt: Tensor, answer: Tensor) -> Tensor:
    """(m,): log p of each answer token after the prompt (1, n) and the answer so far."""
    ids = torch.cat([prompt.to(answer.device), answer[None]], dim=1)
    return answer_logs(model(input_ids=ids, use_cache=False).logits, answer)[0]


def answer_logs(logits: Tensor, answer: Tensor) -> Tensor:
    """Logits (B, T, vocabulary) of texts that end in the answer (m,) → its log p's, (B, m)."""
    logs = logits[:, -len(answer) - 1 : -1].float().log_softmax(-1)
    return logs.gather(2, answer.expand(len(logs), -1)[..., None])[..., 0]
