"""How often a computation used each parameter, read from autograd's graph."""

from collections import Counter
from collections.abc import Iterable

from torch import Tensor, nn


def count_uses(
    outputs: Iterable[Tensor],
    parameters: Iterable[nn.Parameter],
    inputs: Iterable[Tensor] = (),
) -> Counter[int]:
    """The number of operations that took each parameter on the way from inputs to outputs.

    Args:
        outputs: results computed with gradients on.
        parameters: those to count.
        inputs: where to stop looking; by default at the beginning.

    Returns:
        `id(parameter)` → uses; parameters the outputs do not depend on are missing.
    """
    counted = {id(p) for p in parameters}
    uses: Counter[int] = Counter()
    visited = {tensor.grad_fn for tensor in inputs if tensor.grad_fn is not None}
    to_visit = list({out.grad_fn for out in outputs if out.grad_fn is not None} - visited)
    visited.update(to_visit)
    while to_visit:
        node = to_visit.pop()
        for following, _ in node.next_functions:
            if following is None:
                continue
            variable = getattr(following, "variable", None)
            if variable is not None:
                if id(variable) in counted:
                    uses[id(variable)] += 1
            elif following not in visited:
                visited.add(following)
                to_visit.append(following)
    return uses
