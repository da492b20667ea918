"""SHiRA (arXiv 2406.13175): adapters that are a few entries of each weight, and nothing else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from fggm_lab.checks import check_choice, check_count, check_optional_count
from fggm_lab.errors import SettingError
from fggm_lab.fisher import FisherScores
from fggm_lab.methods.adapters import (
    ADAPTER,
    check_above_zero,
    check_linear,
    check_modules,
    chosen_layers,
    merged_afterwards,
    require_peft,
)
from fggm_lab.methods.base import Method, TaskContext

if TYPE_CHECKING:
    from peft.tuners.shira import ShiraModel

EntryMask = Literal["random", "magnitude", "fisher"]
"""By what a weight's entries are chosen."""

MaskFunction = Callable[..., Tensor]
"""What peft calls with a layer and a rank r: a mask of r · (in + out) ones, (out, in)."""

_MEMORY = "shira."


@dataclass(frozen=True)
class SHiRA(Method):
    """Train some entries of each weight, chosen before each task, and add them up when it ends.

    W = W₀ + M ⊙ S, W₀ frozen and S zero at first; M has r · (in + out) ones, as many as a LoRA of
    rank r has parameters: of a square weight n wide, a share of 2 r / n. The paper trains 1 to 2 %
    of the entries. An entry outside M stays as it was, bit for bit. S has the weight's own scale,
    so the learning rate is that of full fine-tuning, and AdamW's decay pulls an entry back to where
    it began.

    Random masks and those of the largest |W₀| are the paper's Rand and WM. Its Grad and SNIP rank
    by gradients of the task; the `fisher` mask does so too, by their squares, example by example.
    Which entries train is kept for the task's length, 4 bytes each; the Fisher's pass holds one
    number for each entry of the adapted weights.

    Attributes:
        rank: r.
        mask: which entries train: `random` ones, those of the largest `magnitude`, or of the
            highest `fisher` score on the new task's examples.
        modules: the layers that are adapted: `linear` (all linear layers but the output head), or
            the ends of their names, such as `["q_proj", "v_proj"]`.
        max_examples: score on so many training examples, drawn by the run's seed (None: all).
        lr_scale: the factor by which the run's learning rate is multiplied for adapters.
    """

    name: ClassVar[str] = "shira"
    paper: ClassVar[str] = "arXiv 2406.13175, as in peft; the Fisher mask is this lab's"
    stores: ClassVar[str] = "nothing; during a task, the numbers of the entries that train"
    adapts: ClassVar[bool] = True
    takes_masks: ClassVar[bool] = False

    rank: int = 1
    mask: EntryMask = "random"
    modules: str | list[str] = "linear"
    max_examples: int | None = None
    lr_scale: float = 1.0

    def __post_init__(self) -> None:
        check_count("rank", self.rank)
        check_choice("mask", self.mask, EntryMask)
        check_modules(self.modules)
        check_optional_count("max_examples", self.max_examples)
        check_above_zero("lr_scale", self.lr_scale)

    def check(self, tasks: int) -> None:
        """Raise a `LabError` if peft, which makes the adapters, is missing or too old."""
        require_peft("SHiRA", "ShiraConfig")

    @contextmanager
    def adapted(self, context: TaskContext) -> Iterator[None]:
        """Inside, the chosen entries alone train; afterwards, whatever happened, they are merged.

        The choice is made when the task begins, and read from the memory when it is resumed.
        """
        layers = chosen_layers(context.model, self.modules, self.name)
        check_linear(context.model, layers, self.name)
        self._check_rank(context.model, layers)
        if not any(name.startswith(_MEMORY) for name in context.memory):
            for name, entries in self._choose(context, layers).items():
                context.memory[_MEMORY + name] = entries
        # torch warns of sparse tensors unless told whether to check them; peft's are well formed.
        unchecked = torch.sparse.check_sparse_tensor_invariants(False)
        with unchecked, merged_afterwards(context.model, lambda m: self._insert(m, context)):
            yield

    def begun(self, context: TaskContext) -> PreTrainedModel:
        """The model before the task, with the same entries to train."""
        model = context.before()
        self._insert(model, context)
        return model

    def after_task(self, context: TaskContext) -> None:
        """Forget the choice."""
        for name in [name for name in context.memory if name.startswith(_MEMORY)]:
            del context.memory[name]

    def _check_rank(self, model: PreTrainedModel, layers: Sequence[str]) -> None:
        for name in layers:
            rows, columns = model.get_submodule(name).weight.shape
            if self.rank * (rows + columns) > rows * columns:
                raise SettingError(
                    f"shira's rank is {self.rank}: more entries than {name} has, which is {rows} × "
                    f"{columns}; choose at most {rows * columns // (rows + columns)}, or leave the "
                    "layer out of modules"
                )

    def _choose(self, context: TaskContext, layers: Sequence[str]) -> dict[str, Tensor]:
        """Layer → the flat numbers of the entries that train, rising, int32."""
        weights = {name: context.model.get_submodule(name).weight.detach() for name in layers}
        counts = {name: self.rank * sum(weight.shape) for name, weight in weights.items()}
        if self.mask == "random":
            return {
                name: torch.from_numpy(
                    context.rng("shira", index).permutation(weight.numel())[: counts[name]]
                )
                .sort()
                .values.int()
                for index, (name, weight) in enumerate(weights.items())
            }
        if self.mask == "magnitude":
            values = {name: weight.abs() for name, weight in weights.items()}
        else:
            with _training_only(context.model, layers):
                scores = context.fisher(self.max_examples, aggregation="none", elementwise=True)
            values = {name: _diagonal(scores, name) for name in layers}
        return {name: highest_entries(values[name], counts[name]) for name in layers}

    def _insert(self, model: PreTrainedModel, context: TaskContext) -> "ShiraModel":
        """Put adapters of the chosen entries into the model, in place."""
        require_peft("SHiRA", "ShiraConfig")
        from peft import ShiraConfig  # takes seconds to import
        from peft.tuners.shira import ShiraModel

        entries = {
            name.removeprefix(_MEMORY): numbers
            for name, numbers in context.memory.items()
            if name.startswith(_MEMORY)
        }
        settings = ShiraConfig(r=self.rank, target_modules=list(entries))
        settings.mask_fn = entry_mask_fn(model, lambda name, _: entries[name])
        return ShiraModel(model, settings, ADAPTER)


def fisher_mask_fn(scores: FisherScores, model: nn.Module) -> MaskFunction:
    """A mask for peft's SHiRA: of each layer the entries of the highest Fisher scores.

    ```
    scores = lab.fisher_scores(model, tokenizer, task, aggregation="none", elementwise=True)
    config = ShiraConfig(r=32, target_modules=["q_proj", "v_proj"])
    config.mask_fn = lab.fisher_mask_fn(scores, model)
    adapted = get_peft_model(model, config)
    ```

    Args:
        scores: of the plain model, with every entry of the diagonal (`elementwise=True`).
        model: the plain model that will be adapted, by whose modules layers are told apart.

    Returns:
        What `ShiraConfig.mask_fn` asks for: it takes a layer and a rank r and returns a mask of the
        layer's weight, in its type and on its device, with r · (in + out) ones. It raises a
        `SettingError` for a layer without scores.

    Raises:
        SettingError: the scores are of whole rows or columns.
    """
    if scores.elementwise is None and scores.info.aggregation != "none":
        raise SettingError(
            "these scores are of whole units; a mask of entries needs "
            "fisher_scores(…, elementwise=True)"
        )
    return entry_mask_fn(model, lambda name, count: highest_entries(_diagonal(scores, name), count))


def entry_mask_fn(model: nn.Module, choose: Callable[[str, int], Tensor]) -> MaskFunction:
    """A mask function of peft's SHiRA that knows the names of layers.

    Args:
        model: the plain model that will be adapted.
        choose: takes a layer's name and a count, and returns the flat numbers of as many entries.

    Returns:
        The function.
    """
    names = {module: name for name, module in model.named_modules()}

    def mask_fn(base_layer: nn.Module, r: int, **_: Any) -> Tensor:
        if base_layer not in names:
            raise SettingError(
                "the layer is none of the model that was given; make the mask function from the "
                "very model that is adapted"
            )
        weight = base_layer.get_parameter("weight")
        mask = torch.zeros(weight.numel(), dtype=weight.dtype, device=weight.device)
        chosen = choose(names[base_layer], r * sum(weight.shape))
        mask[chosen.to(weight.device, torch.int64)] = 1
        return mask.view_as(weight)

    return mask_fn


def highest_entries(values: Tensor, count: int) -> Tensor:
    """The flat numbers of the highest values, (count,) int32, rising; of equal ones the first."""
    order = values.flatten().sort(descending=True, stable=True).indices
    return order[:count].sort().values.int().cpu()


def _diagonal(scores: FisherScores, layer: str) -> Tensor:
    """Every entry's score of a layer's weight, in any shape."""
    name = f"{layer}.weight"
    diagonal: Mapping[str, Tensor] = scores.elementwise or scores.units
    if name not in diagonal:
        raise SettingError(f"there are no scores of {name}; score the model that is adapted")
    return diagonal[name]


@contextmanager
def _training_only(model: PreTrainedModel, layers: Sequence[str]) -> Iterator[None]:
    """Inside, only the layers' weights require gradients, so that only they are scored."""
    trains = {name: p.requires_grad for name, p in model.named_parameters()}
    weights = {f"{name}.weight" for name in layers}
    try:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in weights)
        yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trains[name])
