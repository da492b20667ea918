"""L2 toward the start (L2-SP, 1802.01483): every weight is pulled back to where it was."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.checks import check_choice, check_range
from fggm_lab.methods.base import Method, Plan, TaskContext
from fggm_lab.methods.penalty import pull

Anchor = Literal["run", "task"]
"""Which weights a penalty pulls to: those before the run, or those before the task."""

_ANCHOR = "l2.anchor."


@dataclass(frozen=True)
class L2(Method):
    """The penalty α/2 ‖θ − θ⁰‖², the same for every weight: EWC without a Fisher.

    Attributes:
        strength: α; the paper chooses it on validation data.
        anchor: θ⁰ are the weights before the first task (`run`, the paper's: the pretrained ones)
            or before this task (`task`). A run branched off one that kept no anchor takes the
            weights where it begins.
    """

    name: ClassVar[str] = "l2"
    paper: ClassVar[str] = "arXiv 1802.01483, L2-SP"
    stores: ClassVar[str] = "one number per weight, its first value; with anchor=task nothing"
    own_weights: ClassVar[bool] = True

    strength: float = 0.01
    anchor: Anchor = "run"
    _anchors: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_range("strength", self.strength, 0)
        check_choice("anchor", self.anchor, Anchor)

    def plan(self, context: TaskContext) -> Plan:
        """Remember the weights before the first task, if those are the anchor."""
        if self.anchor == "run" and not any(name.startswith(_ANCHOR) for name in context.memory):
            for name, parameter in context.model.named_parameters():
                if parameter.requires_grad:
                    context.memory[_ANCHOR + name] = parameter.detach().clone()
        return Plan()

    def start(self, context: TaskContext) -> None:
        """Copy the anchor onto the parameters' devices."""
        if self.anchor == "run":
            anchors = context.memory
        else:
            before = context.before().named_parameters()
            anchors = {_ANCHOR + name: parameter.detach() for name, parameter in before}
        for name, parameter in context.model.named_parameters():
            if parameter.requires_grad and _ANCHOR + name in anchors:
                self._anchors[name] = anchors[_ANCHOR + name].to(parameter.device)

    def on_gradients(self, model: PreTrainedModel) -> None:
        """Add the penalty's gradient, α (θ − θ⁰)."""
        for name, parameter in model.named_parameters():
            if name in self._anchors:
                pull(parameter, self._anchors[name], self.strength)

    def finish(self) -> None:
        """Release the anchor."""
        self._anchors.clear()
