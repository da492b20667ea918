"""OSF, orthogonal subspace fine-tuning (arXiv 2504.07097): large singular directions are kept.

We could read the paper's abstract, and follow peft's implementation of it.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from transformers import PreTrainedModel

from fggm_lab.checks import check_range
from fggm_lab.errors import SettingError
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
    from peft.tuners.osf import OSFModel


@dataclass(frozen=True)
class OSF(Method):
    """Decompose each weight before each task, and train the part of small singular values.

    W = U₁S₁V₁ + U₂S₂V₂ by singular values, the largest first. U₁, S₁ and V₁ stay; U₂ (out, n − k),
    S₂ and V₂ (n − k, in) train, each step with gradients orthogonal to U₁ and V₁:
    ∇U₂ − U₁U₁ᵀ∇U₂ and ∇V₂ − ∇V₂V₁ᵀV₁. Under plain SGD the weight's change is orthogonal to both,
    too; AdamW scales entries one by one, and its steps are orthogonal only nearly. Its decay pulls
    U₂, S₂ and V₂ to zero.

    The paper chooses k layer by layer; here, as by peft's default, it is one share for all. Costs a
    singular value decomposition of every adapted weight before each task, and for its length about
    as many numbers as the adapted weights have, their optimiser's state besides.

    Attributes:
        preserve: the share of a weight's singular directions that stay, k ÷ min(in, out).
        modules: the layers that are adapted: `linear` (all linear layers but the output head), or
            the ends of their names, such as `["q_proj", "v_proj"]`.
        lr_scale: the factor by which the run's learning rate is multiplied for the decomposed
            parts.
    """

    name: ClassVar[str] = "osf"
    paper: ClassVar[str] = "arXiv 2504.07097, as in peft"
    adapts: ClassVar[bool] = True
    takes_masks: ClassVar[bool] = False

    preserve: float = 0.5
    modules: str | list[str] = "linear"
    lr_scale: float = 1.0

    def __post_init__(self) -> None:
        check_range("preserve", self.preserve, 0, 1)
        if self.preserve in (0, 1):
            raise SettingError(
                f"preserve is {self.preserve:g}; choose more than 0, or nothing is preserved, and "
                "less than 1, or nothing trains"
            )
        check_modules(self.modules)
        check_above_zero("lr_scale", self.lr_scale)

    def check(self, tasks: int) -> None:
        """Raise a `LabError` if peft, which decomposes the weights, is missing or too old."""
        require_peft("OSF", "OSFConfig")

    def adapted(self, context: TaskContext) -> AbstractContextManager[None]:
        """Inside, the decomposed parts alone train; afterwards, whatever happened, W is whole."""
        return merged_afterwards(context.model, self._insert)

    def begun(self, context: TaskContext) -> PreTrainedModel:
        """The model before the task, decomposed."""
        model = context.before()
        self._insert(model)
        return model

    def _insert(self, model: PreTrainedModel) -> "OSFModel":
        """Decompose the model's layers, in place.

        Args:
            model: the plain model.

        Returns:
            What peft made of it, which can merge the parts again.

        Raises:
            SettingError: a layer is not linear, or has too few directions for the share.
        """
        require_peft("OSF", "OSFConfig")
        from peft import OSFConfig  # takes seconds to import
        from peft.tuners.osf import OSFModel

        layers = chosen_layers(model, self.modules, self.name)
        check_linear(model, layers, self.name)
        for name in layers:
            directions = min(model.get_submodule(name).weight.shape)
            if int(self.preserve * directions) == 0:
                raise SettingError(
                    f"osf: {self.preserve:g} of the {directions} singular directions of {name} is "
                    f"less than one; preserve {1 / directions:.3g} or more, or leave the layer out "
                    "of modules"
                )
        settings = OSFConfig(effective_rank=self.preserve, target_modules=layers)
        return OSFModel(model, settings, ADAPTER)
