"""Which neurons an answer passes through, beside which units its Fisher information names.

A neuron here is one output of a linear layer, so one row of its weight: the unit FGGM scores.
Its conductance (Dhamdhere et al., arXiv 1805.12233) is the part of the answer's log-likelihood,
gained on the way from a baseline prompt to the real one, that flows through it.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from captum.attr import LayerConductance
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from fggm_lab.attribution.tokens import answer_logs
from fggm_lab.errors import DataError, SettingError
from fggm_lab.fisher import FisherScores
from fggm_lab.fisher.likelihood import evaluating, requiring_grad
from fggm_lab.fisher.ranks import rank_correlation
from fggm_lab.fisher.scoring import Examples
from fggm_lab.models import split_name
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.tasks.coerce import as_examples


def neuron_conductance(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Examples,
    weights: Iterable[str] | None = None,
    *,
    steps: int = 16,
) -> dict[str, Tensor]:
    """The mean absolute conductance of every neuron for the examples' answers.

    Args:
        model: a causal language model of transformers; it comes back as it was.
        tokenizer: its tokenizer.
        examples: prompts and answers; the cost is one pass of `steps` prompts per example and
            layer.
        weights: names of linear layers' weights; by default all inside the layers.
        steps: the number of steps of the integral.

    Returns:
        Weight's name → (units,): the absolute value of the conductance, summed over positions with
        its sign, averaged over examples; in nats.

    Raises:
        DataError: there are no examples, or an answer does not fit.
        SettingError: a name is not that of a linear layer's weight.
    """
    examples = as_examples(examples)
    if not examples:
        raise DataError("there are no examples to attribute; give at least one")
    modules = _linear_modules(model, weights)
    encoded = encode(tokenizer, examples, context_length(model))
    totals = {name: torch.zeros(len(module.weight)) for name, module in modules.items()}
    with evaluating(model), requiring_grad(model.parameters(), ()):
        for example_tokens in encoded:
            inputs, baselines = _embedded(model, example_tokens, tokenizer.eos_token_id)
            likelihood = _likelihood(model, example_tokens)
            for name, module in modules.items():
                flow = LayerConductance(likelihood, module).attribute(
                    inputs, baselines, n_steps=steps
                )
                totals[name] += flow.detach().flatten(0, -2).sum(0).abs().cpu()
    return {name: total / len(encoded) for name, total in totals.items()}


def beside_fisher(scores: FisherScores, conductance: dict[str, Tensor]) -> list[dict[str, Any]]:
    """Spearman's rank correlation of Fisher score and conductance over each weight's units.

    Args:
        scores: of output units, of the same model.
        conductance: weight's name → (units,), as `neuron_conductance` returns it.

    Returns:
        A row per weight: `name`, `layer`, `module`, `units`, `correlation` (None
        where one of them is constant).

    Raises:
        DataError: a weight has no Fisher scores, or not as many.
    """
    rows = []
    for name, flow in conductance.items():
        if name not in scores.units or scores.units[name].numel() != flow.numel():
            raise DataError(f"the Fisher scores have no {flow.numel()} units of {name}; score the "
                            "same model, aggregation 'input'")  # fmt: skip
        parts = split_name(name)
        rows.append(
            {
                "name": name,
                "layer": parts.layer,
                "module": parts.module,
                "units": flow.numel(),
                "correlation": rank_correlation(scores.units[name].numpy(), flow.numpy()),
            }
        )
    return rows


def _linear_modules(model: nn.Module, weights: Iterable[str] | None) -> dict[str, nn.Linear]:
    linear = {
        f"{name}.weight": module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    if weights is None:
        return {n: module for n, module in linear.items() if split_name(n).layer is not None}
    names = list(weights)
    for name in names:
        if name not in linear:
            raise SettingError(f"{name} is not the weight of a linear layer of this model")
    return {name: linear[name] for name in names}


def _embedded(model: PreTrainedModel, encoded: Encoded, baseline: int) -> tuple[Tensor, Tensor]:
    """The embeddings (1, T, hidden) of an example, and with a prompt of baseline tokens."""
    embed = model.get_input_embeddings()
    ids = torch.tensor([encoded.prompt + encoded.answer], device=model.device)
    empty = ids.clone()
    empty[:, : len(encoded.prompt)] = baseline
    with torch.no_grad():
        return embed(ids), embed(empty)


def _likelihood(model: PreTrainedModel, encoded: Encoded) -> Callable[[Tensor], Tensor]:
    """Embeddings (B, T, hidden) → log p of the example's answer, (B,)."""
    answer = torch.tensor(encoded.answer, device=model.device)

    def forward(embedded: Tensor) -> Tensor:
        return answer_logs(model(inputs_embeds=embedded, use_cache=False).logits, answer).sum(1)

    return forward
