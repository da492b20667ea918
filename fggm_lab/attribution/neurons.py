"""Which neurons an answer passes through, beside which units its Fisher information names.

A neuron here is one output of a linear layer, so one row of its weight: the unit FGGM scores.
Its conductance (Dhamdhere et al., arXiv 1805.12233) is the part of the answer's log-likelihood,
gained on the way from a baseline prompt to the real one, that flows through it. It is computed as
captum's `LayerConductance` does, but for all layers in one pass, and for layers that see their
tokens as (batch · tokens, in), too.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from captum.attr._utils.approximation_methods import approximation_parameters
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D

from fggm_lab.attribution.tokens import answer_logs, family_name
from fggm_lab.errors import DataError, ModelError, SettingError
from fggm_lab.fisher import FisherScores
from fggm_lab.fisher.inputs import Examples
from fggm_lab.fisher.module_call import Layout
from fggm_lab.fisher.ranks import rank_correlation
from fggm_lab.models import split_name
from fggm_lab.models.build import context_length
from fggm_lab.models.encoding import Encoded, encode
from fggm_lab.models.modes import evaluating, requiring_grad
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
        examples: prompts and answers; the cost is one pass of `steps` prompts per example.
        weights: names of linear layers' weights, GPT-2's Conv1D included; by default all inside the
            layers. Of those, layers whose weight the model uses without calling the layer are left
            out, with a warning.
        steps: the number of steps of the integral.

    Returns:
        Weight's name → (units,): the absolute value of the conductance, summed over positions with
        its sign, averaged over examples; in nats.

    Raises:
        DataError: there are no examples, or an answer does not fit.
        SettingError: a name is not that of a linear layer's weight.
        ModelError: the model has no linear layer to look at, computes another likelihood from
            embeddings than from tokens, lays out its activations in a way of its own, or never
            calls a layer of `weights`.
    """
    examples = as_examples(examples)
    if not examples:
        raise DataError("there are no examples to attribute; give at least one")
    modules = _linear_modules(model, weights)
    encoded = encode(tokenizer, examples, context_length(model))
    totals: dict[str, Tensor] = {}
    with evaluating(model), requiring_grad(model.parameters(), ()):
        _check_embeddings(model, encoded[0])
        for example_tokens in encoded:
            inputs, baselines = _embedded(model, example_tokens, tokenizer.eos_token_id)
            likelihood = _likelihood(model, example_tokens)
            for name, flow in _flows(model, likelihood, inputs, baselines, modules, steps).items():
                totals[name] = totals.get(name, 0) + flow.abs().cpu()
    _check_complete(model, modules, totals, chosen=weights is not None)
    return {name: totals[name] / len(encoded) for name in modules if name in totals}


def _flows(
    model: PreTrainedModel,
    likelihood: Callable[[Tensor], Tensor],
    inputs: Tensor,
    baselines: Tensor,
    modules: dict[str, nn.Module],
    steps: int,
) -> dict[str, Tensor]:
    """Every neuron's conductance for one example.

    With y_k a layer's output at step k of the way from the baseline to the input, and g_k the
    likelihood's gradient there, it is Σ_k (y_{k+1} − y_k) ⊙ g_k, summed over the positions.

    Args:
        model: whose layers they are.
        likelihood: embeddings (B, T, hidden) → (B,).
        inputs: (1, T, hidden).
        baselines: (1, T, hidden).
        modules: weight's name → its layer.
        steps: the number of steps.

    Returns:
        Weight's name → (units,), of the layers that were called.

    Raises:
        ModelError: a layer's output cannot be divided by steps.
    """
    _, fractions = approximation_parameters("gausslegendre")
    alphas = torch.tensor(fractions(steps + 1), device=inputs.device, dtype=inputs.dtype)
    path = baselines + alphas[:, None, None] * (inputs - baselines)
    length = inputs.shape[1]
    # as many steps as tokens would leave the axes of an output undistinguished
    size = len(path) - (len(path) == length)
    pieces: dict[tuple[str, int], list[tuple[Tensor, Tensor]]] = {}
    for part in path.split(max(1, size)):
        with _outputs(modules) as outputs:
            value = likelihood(part.detach().requires_grad_()).sum()
        if not outputs:
            return {}
        gradients = torch.autograd.grad(value, list(outputs.values()), allow_unused=True)
        layout = Layout(len(part), length)
        for key, gradient in zip(outputs, gradients, strict=True):
            output = layout.split(outputs[key].detach(), 3)
            if output is None:
                raise ModelError(
                    f"{key[0]} of {family_name(model)} sees its tokens in a layout of its own, so "
                    "that its neurons' conductance cannot be told by step; choose other weights"
                )
            slope = torch.zeros_like(outputs[key]) if gradient is None else gradient
            pieces.setdefault(key, []).append((output, slope.reshape(output.shape)))
    flows: dict[str, Tensor] = {}
    for (name, _), parts in pieces.items():
        output, slope = (torch.cat(side) for side in zip(*parts, strict=True))
        flow = ((output[1:] - output[:-1]) * slope[:-1]).flatten(0, -2).sum(0)
        flows[name] = flows[name] + flow if name in flows else flow
    return flows


@contextmanager
def _outputs(modules: dict[str, nn.Module]) -> Iterator[dict[tuple[str, int], Tensor]]:
    """Collect the outputs of layers, by weight's name and number of the call, inside the block."""
    outputs: dict[tuple[str, int], Tensor] = {}

    def hook_for(name: str) -> Callable[[nn.Module, Any, Any], Tensor | None]:
        def hook(module: nn.Module, args: Any, output: Any) -> Tensor | None:
            if not isinstance(output, Tensor):  # Llama 4's router
                return None
            outputs[name, sum(key[0] == name for key in outputs)] = output
            return output.clone()  # the model may change it in place

        return hook

    handles = [m.register_forward_hook(hook_for(name)) for name, m in modules.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def _check_embeddings(model: PreTrainedModel, encoded: Encoded) -> None:
    """Check that an example's likelihood from the embeddings of its tokens is that from them."""
    value = _likelihood(model, encoded)(_embedded(model, encoded, encoded.answer[-1])[0])
    ids = torch.tensor([encoded.prompt + encoded.answer], device=model.device)
    answer = torch.tensor(encoded.answer, device=model.device)
    expected = answer_logs(model(input_ids=ids, use_cache=False).logits, answer).sum(1)
    bound = 1e-4 if model.dtype in (torch.float32, torch.float64) else 1e-2
    if (value - expected).abs() > bound * expected.abs().clamp(min=1):
        raise ModelError(
            f"{family_name(model)} computes another likelihood from the embeddings of tokens than "
            "from the tokens, which reach its layers in other ways, too; its neurons' conductance "
            "is not defined"
        )


def _check_complete(
    model: PreTrainedModel, modules: dict[str, nn.Module], flows: dict[str, Tensor], chosen: bool
) -> None:
    """Say which layers were never called; refuse where they were asked for, or none is left."""
    missing = [name for name in modules if name not in flows]
    if not modules:
        raise ModelError(
            f"{family_name(model)} has no linear layers inside numbered layers; name the weights "
            "to look at"
        )
    if not missing:
        return
    text = (
        f"{family_name(model)} uses {', '.join(missing)} without a call that returns the layer's "
        "output, so that its neurons cannot be looked at"
    )
    if chosen or not flows:
        raise ModelError(f"{text}; choose other weights")
    warnings.warn(f"{text}; left out", stacklevel=3)


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


def _linear_modules(model: PreTrainedModel, weights: Iterable[str] | None) -> dict[str, nn.Module]:
    linear: dict[str, nn.Module] = {
        f"{name}.weight": module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
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
