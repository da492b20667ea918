"""The list of layer rules, and which of them a module falls under."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from fggm_lab.fisher.module_call import Call
from fggm_lab.fisher.stacked import Piece

Parts = dict[str, Piece]
"""A parameter's local name → its part of every example's gradient."""

Rule = Callable[[Call], Parts | None]
"""One call of a module → the parts of its parameters' gradients; None when this call is not of a
kind the rule knows."""

LayerRule = Callable[[Any, Tensor, Tensor], Parts | None]
"""The same for a layer with one input and one output: (module, input (B, …), gradient at its
output (B, …))."""

_RULES: list[tuple[Callable[[nn.Module], bool], Rule]] = []


def rule(applies: Callable[[nn.Module], bool]) -> Callable[[Rule], Rule]:
    """Register a rule for the modules `applies` accepts; the first that does, counts."""

    def register(function: Rule) -> Rule:
        _RULES.append((applies, function))
        return function

    return register


def layer_rule(applies: Callable[[nn.Module], bool]) -> Callable[[LayerRule], LayerRule]:
    """Register a rule for layers with one input and one output."""

    def register(function: LayerRule) -> LayerRule:
        def arranged(call: Call) -> Parts | None:
            x, g = (
                call.args[0] if call.args else next(iter(call.kwargs.values())),
                call.gradients[0],
            )
            if not isinstance(x, Tensor) or g is None:
                return None
            inputs = call.layout.split(x, 3 if x.is_floating_point() else 2)
            gradient = call.layout.split(g, 3)
            if inputs is None or gradient is None:
                return None
            return function(call.module, inputs, gradient)

        _RULES.append((applies, arranged))
        return function

    return register


def rule_for(module: nn.Module) -> Rule | None:
    """The rule for `module`; None if it has no parameters of its own, or hides them."""
    if not module._parameters or hasattr(module, "parametrizations"):
        return None
    return next((rule for applies, rule in _RULES if applies(module)), None)


def computes_as(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether `module` is of `kind` and computes what `kind` does.

    That is, it has no forward of its own, and its parameters bear their usual names: pruning and
    the older `weight_norm` rename them and compute the weight before each call.

    Args:
        module: any module.
        kind: a layer's class.

    Returns:
        True if a rule for `kind` holds for the module.
    """
    return (
        isinstance(module, kind)
        and set(module._parameters) <= {"weight", "bias"}
        and type(module).forward is kind.forward
        and "forward" not in vars(module)
    )
