"""Checks on methods: the rules that all keep, and two methods to write."""

import json
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from fggm_lab.course.exercises.answers import verdict
from fggm_lab.course.exercises.exercise import exercise
from fggm_lab.errors import LabError
from fggm_lab.masks import Mask
from fggm_lab.masks.selection import select
from fggm_lab.methods import Method, Plan, TaskContext
from fggm_lab.models import as_units, context_length, load_model, unit_axes
from fggm_lab.models.encoding import encode
from fggm_lab.tasks import SHIPPED, load_tasks

_TASK, _EXAMPLES = "FOMC", 8


@exercise(
    "09a",
    "A plan that only looks",
    level=2,
    minutes=10,
    hints=(
        "plan is called before the task: whatever it does to context.model, training begins "
        "from there.",
        "A copy is made, and then the wrong one of the two is trained: look at the first line"
        " of plan.",
    ),
    subject="Rehearsal",
)
def check_plan(method: Method) -> str:
    """Ask a method for its plan twice, and check the rules that every masking method must keep.

    It leaves the model's weights alone, gives the same mask when called again with the same seed,
    names the model's own units, and moves the share it says. Its settings fit into JSON.

    Args:
        method: an instance.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    context = _context()
    mask = _mask_of(method, context)
    if isinstance(mask, str):
        return verdict(mask, "")
    return verdict(
        None,
        f"{method.name} leaves the model alone, repeats itself, and moves {mask.count:,} of "
        f"{mask.unit_count:,} units.",
    )


@exercise(
    "09b",
    "A mask by magnitude",
    level=2,
    minutes=10,
    hints=(
        "Weights have signs, and in a sum they cancel.",
        "A norm is the root of the sum of squares; a tensor has a method for it.",
    ),
)
def check_magnitude(method: Method) -> str:
    """Try a method that lets the units with the largest weights move.

    Args:
        method: an instance; within each parameter it moves the share `keep` of units whose weights
            have the largest norm, the root of the sum of squares.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    context = _context()
    mask = _mask_of(method, context)
    problem = mask if isinstance(mask, str) else _not_largest_norms(method, mask, context.model)
    return verdict(problem, "within each weight the units with the largest norms move.")


def _not_largest_norms(method: Method, mask: Mask, model: PreTrainedModel) -> str | None:
    keep = method.settings.get("keep")
    if keep is None:
        return "the method has no setting `keep`; add a field `keep: float = 0.3`."
    axes = unit_axes(model)
    rows = {name: as_units(p.detach(), axes[name]) for name, p in model.named_parameters()}
    if mask.units.keys() != rows.keys():
        return "cover every parameter of model.named_parameters()."

    def chosen(scores: dict[str, Tensor]) -> dict[str, Tensor]:
        return select({name: values.numpy() for name, values in scores.items()}, keep, "parameter")

    norms = {name: values.norm(dim=1) for name, values in rows.items()}
    expected = chosen(norms)
    if _same(mask.units, expected):
        return None
    mistakes = {
        "those are the units with the smallest norms; turn the order round.": {
            name: -norm for name, norm in norms.items()
        },
        "those have the largest sum of weights, in which signs cancel; a norm squares first.": {
            name: values.sum(1) for name, values in rows.items()
        },
        "those have the largest sum of absolute weights; a norm is the root of the sum of "
        "squares.": {name: values.abs().sum(1) for name, values in rows.items()},
        "those hold the largest single weight; a norm counts all weights of the unit.": {
            name: values.abs().amax(1) for name, values in rows.items()
        },
    }
    for hint, scores in mistakes.items():
        if _same(mask.units, chosen(scores)):
            return hint
    name = next(n for n, bits in expected.items() if not torch.equal(bits, mask.units[n]))
    bits, norm = mask.units[name], norms[name]
    if int(bits.sum()) != int(expected[name].sum()):
        return (
            f"{int(bits.sum())} of {len(bits)} units of {name} move, it should be "
            f"{int(expected[name].sum())}: the share holds within each parameter."
        )
    return (
        f"in {name} a unit with norm {float(norm[bits].min()):.3f} moves while one with norm "
        f"{float(norm[~bits].max()):.3f} is frozen."
    )


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(bits, b[name]) for name, bits in a.items())


@exercise(
    "09c",
    "An anchor for every weight",
    level=2,
    minutes=10,
    hints=(
        "on_gradients is called after the backward pass: p.grad holds the task's gradient, "
        "and the task wants to be learned.",
        "Add to p.grad; do not replace it.",
    ),
)
def check_anchor(method: Method) -> str:
    """Try a method that pulls every weight back to where it was when the task began.

    Args:
        method: an instance with a setting `strength`; `start` remembers the weights, `on_gradients`
            adds strength · (weight − remembered) to each gradient.

    Returns:
        `Right: …`, or `Not yet: …` with the mistake.
    """
    problem = _not_a_method(method)
    if problem:
        return verdict(problem, "")
    strength = method.settings.get("strength")
    if not isinstance(strength, int | float):
        return verdict("its settings have no `strength`, so no run would record it.", "")
    context = _context()
    rng = torch.Generator().manual_seed(0)
    moved: dict[str, Tensor] = {}
    gradients: dict[str, Tensor] = {}
    method.start(context)
    try:
        with torch.no_grad():
            for name, parameter in context.model.named_parameters():
                moved[name] = torch.randn(parameter.shape, generator=rng)
                gradients[name] = torch.randn(parameter.shape, generator=rng)
                parameter += moved[name]
                parameter.grad = gradients[name].clone()
        method.on_gradients(context.model)
    finally:
        method.finish()
    problem = _not_pulled(context.model, gradients, moved, float(strength))
    return verdict(problem, "each step now also pulls a weight back to where the task found it.")


def _not_pulled(
    model: PreTrainedModel, gradients: dict[str, Tensor], moved: dict[str, Tensor], strength: float
) -> str | None:
    mistakes = {
        "the gradients are as they were. Change `.grad` in place (`p.grad += …`), and let `start` "
        "keep copies (`.clone()`), or what it remembers moves along.": (1.0, 0.0),
        "that pushes a weight further away, for the optimiser steps against the gradient; turn the "
        "sign round.": (1.0, -strength),
        "the pull replaces the task's gradient; add it.": (0.0, strength),
        "the strength is missing.": (1.0, 1.0),
        "the pull is strength · (weight − remembered), without a 2.": (1.0, 2 * strength),
    }
    for name, parameter in model.named_parameters():
        if parameter.grad is None:
            return f"{name} has lost its gradient."
        for hint, (task, pull) in {"": (1.0, strength), **mistakes}.items():
            if torch.allclose(
                parameter.grad, task * gradients[name] + pull * moved[name], rtol=1e-4, atol=1e-5
            ):
                if hint:
                    return hint
                break
        else:
            return f"the gradient of {name} is not g + strength · (weight − remembered)."
    return None


def _context() -> TaskContext:
    """A method's input before the second task: the shipped model and a few examples."""
    model, tokenizer = load_model(device="cpu")
    examples = load_tasks(SHIPPED, order=[_TASK])[_TASK].train[:_EXAMPLES]
    length = context_length(model)
    encoded = encode(tokenizer, examples, length)
    return TaskContext(model, tokenizer, examples, encoded, _TASK, 1, 0, length)


def _not_a_method(method: Any) -> str | None:
    if isinstance(method, type):
        return f"give an instance: {method.__name__}(), not the class."
    if not isinstance(method, Method):
        return "a method is a dataclass derived from lab.Method."
    if not isinstance(getattr(method, "name", None), str):
        return "the method has no name; write `name: ClassVar[str] = …`."
    try:
        json.dumps(method.settings)
    except (TypeError, ValueError):
        return (
            "its settings do not fit into JSON, as config.json needs; override `settings` and "
            "leave out what is no setting."
        )
    return None


def _mask_of(method: Any, context: TaskContext) -> Mask | str:
    """The mask of a method's plan, or a sentence with what is wrong with it."""
    problem = _not_a_method(method)
    if problem:
        return problem
    model = context.model
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    plan: Any = _plan_of(method, context, seed=1)
    if not isinstance(plan, Plan):
        returned = "nothing" if plan is None or plan is ... else type(plan).__name__
        return f"plan returns {returned}; return Plan(mask)."
    changed = [name for name, p in model.named_parameters() if not torch.equal(p, before[name])]
    if changed:
        return (
            f"plan has changed {len(changed)} of the model's parameters ({changed[0]}, for one), "
            "from which training would begin; try things out on a copy.deepcopy of the model."
        )
    if plan.mask is None:
        return "the plan has no mask, so every unit moves, as under SFT."
    try:
        plan.mask.check(model)
    except LabError as error:
        return f"{error}."
    if _plan_of(method, context, seed=2).mask != plan.mask:
        return (
            "asked again it gives another mask, so no run could be repeated; draw what is drawn by "
            "chance from context.seed_for(…) or context.rng(…)."
        )
    return _wrong_share(method, plan.mask) or plan.mask


def _plan_of(method: Method, context: TaskContext, seed: int) -> Plan:
    """The plan, with the global random generator at some seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return method.plan(context)


def _wrong_share(method: Method, mask: Mask) -> str | None:
    """What is wrong if a mask's share differs from `keep` by more than rounding per parameter."""
    keep = method.settings.get("keep")
    if keep is None or abs(mask.count - keep * mask.unit_count) <= len(mask.units) / 2:
        return None
    return (
        f"keep is {keep:g}, but {mask.count:,} of {mask.unit_count:,} units move "
        f"({mask.share:.0%})."
    )
