"""Checks on methods accept right ones and name what is wrong with others."""

import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from fggm_lab.course.exercises.methods import check_anchor, check_magnitude, check_plan
from fggm_lab.masks import Mask, MaskInfo, Scope
from fggm_lab.masks.selection import select
from fggm_lab.methods import METHODS, SFT, Method, Plan, TaskContext
from fggm_lab.models import as_units, unit_axes


@pytest.mark.parametrize("name", ["fggm", "random"])
def test_the_labs_masking_methods_keep_what_they_must(name: str) -> None:
    assert check_plan(METHODS[name]()).startswith("Right")


@dataclass(frozen=True)
class Faulty(Method):
    """A random mask, with one fault."""

    name: ClassVar[str] = "faulty"
    paper: ClassVar[str] = "test"

    fault: str
    keep: float = 0.3

    def plan(self, context: TaskContext) -> Plan:
        model = context.model
        share = 0.5 if self.fault == "share" else self.keep
        mask = Mask.random(model, share, seed=context.seed)
        if self.fault == "weights":
            with torch.no_grad():
                next(iter(model.parameters())).add_(1e-3)
        if self.fault == "chance":
            mask = Mask.random(model, self.keep, seed=int(torch.randint(1 << 30, ())))
        if self.fault == "names":
            mask = Mask({"nowhere": torch.ones(3, dtype=torch.bool)}, {"nowhere": 0}, mask.info)
        return mask if self.fault == "mask" else Plan(mask)  # type: ignore[return-value]


@dataclass(frozen=True)
class Unnamed(Method):
    """Forgot its name."""


@dataclass(frozen=True)
class Heavy(SFT):
    """Has a tensor among its settings."""

    weight: Any = field(default_factory=lambda: torch.zeros(2))


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        (Faulty(""), "Right"),
        (Faulty("weights"), "model.embed_tokens.weight"),
        (Faulty("chance"), "another mask"),
        (Faulty("share"), "keep is 0.3"),
        (Faulty("names"), "another model"),
        (Faulty("mask"), "return Plan(mask)"),
        (SFT(), "no mask"),
        (Faulty, "give an instance"),
        (Unnamed(), "no name"),
        (Heavy(), "JSON"),
        ("fggm", "a method is a dataclass"),
    ],
)
def test_what_a_plan_must_keep(method: Any, hint: str) -> None:
    assert hint in check_plan(method)


@dataclass(frozen=True)
class Sized(Method):
    """The units that are largest by some measure of their weights."""

    name: ClassVar[str] = "sized"
    paper: ClassVar[str] = "test"

    measure: str
    scope: Scope = "parameter"
    keep: float = 0.3

    def plan(self, context: TaskContext) -> Plan:
        axes = unit_axes(context.model)
        sizes = {
            name: self._size(as_units(p.detach(), axes[name])).numpy()
            for name, p in context.model.named_parameters()
        }
        info = MaskInfo(self.keep, self.scope, "sized")
        return Plan(Mask(select(sizes, self.keep, self.scope), axes, info))

    def _size(self, rows: Tensor) -> Tensor:
        return {
            "norm": rows.norm(dim=1), "smallest": -rows.norm(dim=1), "sum": rows.sum(1),
            "absolute": rows.abs().sum(1), "largest": rows.abs().amax(1),
            "first": -torch.arange(len(rows)).float(),
        }[self.measure]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        (Sized("norm"), "Right"),
        (Sized("smallest"), "turn the order round"),
        (Sized("sum"), "signs cancel"),
        (Sized("absolute"), "root of the sum of squares"),
        (Sized("largest"), "all weights of the unit"),
        (Sized("first"), "while one with norm"),
        (Sized("norm", scope="global"), "the share holds within each parameter"),
        (SFT(), "no mask"),
    ],
)
def test_magnitude(method: Method, hint: str) -> None:
    assert hint in check_magnitude(method)


@dataclass(frozen=True)
class Pull(Method):
    """An anchor whose pull on the gradient can be made wrong."""

    name: ClassVar[str] = "pull"
    paper: ClassVar[str] = "test"

    strength: float = 0.1
    task: float = 1.0
    factor: float = 1.0
    copies: bool = True
    _start: dict[str, Tensor] = field(default_factory=dict, init=False)

    @property
    def settings(self) -> dict[str, Any]:
        return {"strength": self.strength}

    def start(self, context: TaskContext) -> None:
        self._start.update(
            {n: p.detach().clone() if self.copies else p.detach()
             for n, p in context.model.named_parameters()}
        )  # fmt: skip

    def on_gradients(self, model: Any) -> None:
        for name, p in model.named_parameters():
            p.grad.mul_(self.task).add_(
                self.factor * self.strength * (p.detach() - self._start[name])
            )


@pytest.mark.parametrize(
    ("method", "hint"),
    [
        (Pull(), "Right"),
        (Pull(factor=-1.0), "sign"),
        (Pull(task=0.0), "replaces"),
        (Pull(factor=10.0), "strength is missing"),
        (Pull(factor=2.0), "without a 2"),
        (Pull(factor=0.0), "as they were"),
        (Pull(copies=False), ".clone()"),
        (Pull(factor=5.0), "is not g + strength"),
        (SFT(), "no `strength`"),
        (Pull, "give an instance"),
    ],
)
def test_an_anchor(method: Any, hint: str) -> None:
    assert hint in check_anchor(method)


def test_a_check_leaves_the_method_as_it_was() -> None:
    method = Pull()
    before = copy.deepcopy(method.settings)
    check_anchor(method)
    assert method.settings == before
