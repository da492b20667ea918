"""One rule per layer type: from a call's input and output gradient to its parameters' gradients.

A rule looks at one call of one module and returns, for each parameter of that module, its part of
every example's gradient (`fggm_lab.fisher.factors`). To teach the lab a new layer, add a function
to a file of this folder and decorate it with `layer_rule` (or `rule`, for modules that take or
return several tensors); what no rule knows is run once more by itself (`local`).
"""

from fggm_lab.fisher.rules import experts, layers, norms
from fggm_lab.fisher.rules.local import local
from fggm_lab.fisher.rules.registry import Parts, Rule, layer_rule, rule, rule_for

__all__ = ["Parts", "Rule", "experts", "layer_rule", "layers", "local", "norms", "rule", "rule_for"]
