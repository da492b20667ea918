"""The truth, slowly: one example at a time, unpadded, autograd for every parameter, squares."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.models.encoding import Encoded


def log_likelihood(model: PreTrainedModel, example: Encoded) -> Tensor:
    """log p(answer | prompt): token by token from the whole logits."""
    ids = torch.tensor([example.prompt + example.answer])
    logs = model(input_ids=ids, use_cache=False).logits[0].log_softmax(-1)
    start = len(example.prompt)
    return sum(
        (logs[t - 1, ids[0, t]] for t in range(max(1, start), ids.shape[1])), start=torch.tensor(0)
    )


def diagonal_fisher(model: PreTrainedModel, encoded: Sequence[Encoded]) -> dict[str, Tensor]:
    """Mean over examples of the squared gradient, each in its parameter's shape."""
    model.eval()
    total = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for example in encoded:
        model.zero_grad(set_to_none=True)
        log_likelihood(model, example).backward()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                total[name] += parameter.grad.detach() ** 2
    model.zero_grad(set_to_none=True)
    return {name: value / len(encoded) for name, value in total.items()}


def unit_sums(model: PreTrainedModel, diagonal: dict[str, Tensor]) -> dict[str, Tensor]:
    """Output units: a row of (out, in), or of every expert's; a column of (in, out), as GPT-2, or
    (experts, in, out), as gpt-oss and Llama 4 have it; an entry of a vector, and of experts' biases
    (experts, out)."""
    out = {}
    for name, value in diagonal.items():
        kind = type(model.get_submodule(name.rpartition(".")[0])).__name__
        columns = kind in ("GptOssExperts", "Llama4TextExperts")
        if columns and value.ndim == 2:
            value = value.flatten()
        elif columns and value.ndim == 3:
            value = value.sum(1).flatten()
        elif value.ndim == 2:
            value = value.sum(0 if kind == "Conv1D" else 1)
        elif value.ndim == 3:
            value = value.sum(2).flatten()
        out[name] = value
    return out


def largest_error(scores: dict[str, Tensor], truth: dict[str, Tensor], floor: float) -> float:
    """The largest relative error of any unit.

    Some units' gradients cancel to zero (attention does not feel a key's bias), in autograd too;
    an error counts relative to the unit plus `floor` times its parameter's largest unit. Where all
    of a parameter's units are such, they only have to be as small.
    """
    assert list(scores) == list(truth)
    errors = []
    nothing = 1e-12 * max(float(true.max()) for true in truth.values())
    for name, true in truth.items():
        if true.max() < nothing:
            assert scores[name].max() < nothing
            continue
        scale = true + floor * true.max()
        errors.append(((scores[name].double() - true).abs() / scale).nan_to_num(0).max())
    return float(max(errors))
