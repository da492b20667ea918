"""How often a computation used each parameter, read from autograd's graph."""

from collections import Counter
from collections.abc import Iterable

from torch import Tensor, nn


def count_uses(output: Tensor, parameters: Iterable[nn.Parameter]) -> Counter[int]:
    """The number of operations that took each parameter on the way to `output`.

    Args:
        output: a result computed with gradients on.
        parameters: those to count.

    Returns:
        `id(parameter)` → uses; parameters `output` does not depend on are missing.
    """
    wanted = {id(p) for p in parameters}
    uses: Counter[int] = Counter()
    waiting = [output.grad_fn] if output.grad_fn is not None else []
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        for following, _ in node.next_functions:
            if following is None:
                continue
            variable = getattr(following, "variable", None)
            if variable is not None:
                if id(variable) in wanted:
                    uses[id(variable)] += 1
            elif following not in seen:
                seen.add(following)
                waiting.append(following)
    return uses
