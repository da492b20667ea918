"""Other libraries, each asked for the same numbers: Σ over examples of squared gradients, by row.

A preparation gets a model of its own, a batch, and the weights to score, and returns the call to
time. It is the library's own quickest way; where it allows so, gradients are squared and reduced
on the spot. All use one loss, with logits at answer positions only, so that only the way to the
squares differs. Libraries are imported when asked for: none of them is needed otherwise.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from benchmarks.models import Batch

Scores = dict[str, Tensor]
Prepare = Callable[[PreTrainedModel, Batch, int, set[str]], Callable[[], Scores]]
"""(model, batch, answer tokens per example, weights' names) → a call that returns their scores."""


@dataclass(frozen=True)
class Peer:
    """A library to compare with.

    Attributes:
        name: as it calls itself.
        package: on the registry.
        prepare: how to ask it; None if nothing it offers computes these numbers.
        why_not: what it computes instead, if it does not compute these numbers.
    """

    name: str
    package: str
    prepare: Prepare | None
    why_not: str = ""


def answer_loss(forward: Callable[..., Any], ids: Tensor, labels: Tensor, answer: int) -> Tensor:
    """−Σ log p over the last `answer` tokens of every example; the head runs only before those."""
    logits = forward(input_ids=ids, use_cache=False, logits_to_keep=answer + 1).logits
    wide = logits[:, :-1].flatten(0, 1).float()
    return nn.functional.cross_entropy(wide, labels[:, -answer:].flatten(), reduction="sum")


def _rows(gradients: Tensor) -> Tensor:
    """Per-example gradients (B, out, in), consumed → Σ of squares by row (out,)."""
    return gradients.float().square_().sum((0, 2))


def _freeze_others(model: PreTrainedModel, names: Iterable[str]) -> None:
    selected = set(names)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in selected)


def torch_func(
    model: PreTrainedModel, batch: Batch, answer: int, names: set[str]
) -> Callable[[], Scores]:
    """vmap over examples of grad; its squares are summed by row inside vmap."""
    weights = {name: p.detach() for name, p in model.named_parameters()}
    scored = {name: weights.pop(name) for name in names}

    def loss(scored: dict[str, Tensor], ids: Tensor, labels: Tensor) -> Tensor:
        def forward(**arguments: Any) -> Any:
            return torch.func.functional_call(model, {**weights, **scored}, kwargs=arguments)

        return answer_loss(forward, ids[None], labels[None], answer)

    def squares(scored: dict[str, Tensor], ids: Tensor, labels: Tensor) -> Scores:
        gradients = torch.func.grad(loss)(scored, ids, labels)
        return {name: g.float().square().sum(1) for name, g in gradients.items()}

    per_example = torch.func.vmap(squares, in_dims=(None, 0, 0))
    arguments = (scored, batch["input_ids"], batch["labels"])
    return lambda: {name: rows.sum(0) for name, rows in per_example(*arguments).items()}


def opacus(
    model: PreTrainedModel, batch: Batch, answer: int, names: set[str]
) -> Callable[[], Scores]:
    """`GradSampleModule` leaves every example's gradient on its parameter."""
    from opacus.grad_sample import GradSampleModule

    _freeze_others(model, names)
    wrapped = GradSampleModule(model.train(), loss_reduction="sum", strict=False)

    def run() -> Scores:
        answer_loss(model, batch["input_ids"], batch["labels"], answer).backward()
        scores = {}
        for name, parameter in model.named_parameters():
            if name in names:
                scores[name] = _rows(parameter.grad_sample)
                parameter.grad_sample = None
        wrapped.zero_grad(set_to_none=True)
        return scores

    return run


def backpack(
    model: PreTrainedModel, batch: Batch, answer: int, names: set[str]
) -> Callable[[], Scores]:
    """`BatchGrad`, reduced layer by layer in its hook.

    `SumGradSquared` computes the squares themselves, by an einsum that is slower yet for inputs
    with positions.

    Args:
        model: in evaluation mode.
        batch: token ids with their attention mask.
        answer: how many tokens at the end are predicted.
        names: the parameters to score.

    Returns:
        The call that scores the batch.
    """
    from backpack import backpack, extend
    from backpack.extensions import BatchGrad

    _freeze_others(model, names)
    modules = {extend(model.get_submodule(name.removesuffix(".weight"))): name for name in names}

    def run() -> Scores:
        scores = {}

        def reduce(module: nn.Module) -> None:
            if module in modules:
                weight: Any = module.weight
                scores[modules[module]] = _rows(weight.grad_batch)
                del weight.grad_batch

        with backpack(BatchGrad(), extension_hook=reduce):
            answer_loss(model, batch["input_ids"], batch["labels"], answer).backward()
        model.zero_grad(set_to_none=True)
        return scores

    return run


def kronfluence(
    model: PreTrainedModel, batch: Batch, answer: int, names: set[str]
) -> Callable[[], Scores]:
    """The Λ matrices of its `diagonal` strategy, fitted on the empirical Fisher."""
    from kronfluence.analyzer import prepare_model
    from kronfluence.arguments import FactorArguments
    from kronfluence.factor.eigen import fit_lambda_matrices_with_loader
    from kronfluence.task import Task
    from kronfluence.utils.constants import LAMBDA_MATRIX_NAME
    from kronfluence.utils.state import State

    class Answers(Task):
        def compute_train_loss(self, batch: Any, model: nn.Module, sample: bool = False) -> Tensor:
            ids, labels = batch
            return answer_loss(model, ids, labels, answer)

        def compute_measurement(self, batch: Any, model: nn.Module) -> Tensor:
            return self.compute_train_loss(batch, model)

        def get_influence_tracked_modules(self) -> list[str]:
            return [name.removesuffix(".weight") for name in names]

    task = Answers()
    inputs = {name: p.shape[1] for name, p in model.named_parameters() if name in names}
    prepared = prepare_model(model, task)
    arguments = FactorArguments(strategy="diagonal", use_empirical_fisher=True)
    state = State(cpu=batch["labels"].device.type == "cpu")
    loader: Any = [(batch["input_ids"], batch["labels"])]

    def run() -> Scores:
        _, factors = fit_lambda_matrices_with_loader(
            prepared, state, task, loader, arguments, disable_tqdm=True
        )
        diagonals = factors[LAMBDA_MATRIX_NAME]  # a bias is one more column
        return {n: diagonals[n.removesuffix(".weight")][:, :k].sum(1) for n, k in inputs.items()}

    return run


def asdl(
    model: PreTrainedModel, batch: Batch, answer: int, names: set[str]
) -> Callable[[], Scores]:
    """The diagonal of its uncentred covariance of gradients."""
    from asdl.core import extend
    from asdl.operations import OP_COV_DIAG

    _freeze_others(model, names)
    modules = {name: model.get_submodule(name.removesuffix(".weight")) for name in names}

    def run() -> Scores:
        with extend(model, OP_COV_DIAG) as context:
            answer_loss(model, batch["input_ids"], batch["labels"], answer).backward()
            diagonals = {name: context.cov_diag(module) for name, module in modules.items()}
        model.zero_grad(set_to_none=True)
        return {name: diagonal["weight"].sum(1) for name, diagonal in diagonals.items()}

    return run


def nngeometry(
    model: PreTrainedModel, batch: Batch, answer: int, names: set[str]
) -> Callable[[], Scores]:
    """The diagonal of the gradients' covariance, from inputs it can differentiate: embeddings."""
    from nngeometry.backend import TorchHooksJacobianBackend
    from nngeometry.layercollection import LayerCollection
    from torch.utils.data import DataLoader, TensorDataset

    layers = LayerCollection()
    for name in names:
        layers.add_layer_from_model(model, model.get_submodule(name.removesuffix(".weight")))

    def likelihoods(embedded: Tensor, labels: Tensor) -> Tensor:
        logits = model(inputs_embeds=embedded, use_cache=False, logits_to_keep=answer + 1).logits
        logs = logits[:, :-1].float().log_softmax(-1)
        return logs.gather(2, labels[:, -answer:, None]).sum((1, 2))[:, None]

    backend = TorchHooksJacobianBackend(model, likelihoods, layer_collection=layers)
    embedded = model.get_input_embeddings()(batch["input_ids"]).detach()
    loader = DataLoader(TensorDataset(embedded, batch["labels"]), batch_size=len(embedded))

    def run() -> Scores:
        flat = len(embedded) * backend.get_covariance_diag(loader)
        scores = {}
        for key, module in layers.get_layerid_module_maps(model)[0].items():
            start, shape = layers.p_pos[key], module.weight.shape
            diagonal = flat[start : start + shape.numel()].view(shape)
            scores[next(n for n in names if model.get_parameter(n) is module.weight)] = (
                diagonal.sum(1)
            )
        return scores

    return run


PEERS = (
    Peer("torch.func", "torch", torch_func),
    Peer("opacus", "opacus", opacus),
    Peer("BackPACK", "backpack-for-pytorch", backpack),
    Peer("kronfluence", "kronfluence", kronfluence),
    Peer("asdfghjkl", "asdfghjkl", asdl, "squares every token's gradient, not every example's"),
    Peer("nngeometry", "nngeometry", nngeometry, "its linear layers take inputs without positions"),
    Peer(
        "curvlinops",
        "curvlinops-for-pytorch",
        None,
        "linear operators: a diagonal only from random probes, and every token is an example",
    ),
)
