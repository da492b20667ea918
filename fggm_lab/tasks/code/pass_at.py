"""pass@k: the chance that at least one of k completions passes (Chen et al. 2021, equation 1)."""

from collections.abc import Sequence
from math import fsum, prod

from fggm_lab.errors import SettingError


def pass_at_k(n: int, c: int, k: int) -> float:
    """The unbiased estimate of pass@k from n completions of one problem, c of which passed.

    1 - C(n - c, k) / C(n, k), as the product 1 - Π (1 - k / i) over i from n - c + 1 to n, which
    needs no large number (Chen et al. 2021, arXiv 2107.03374, figure 3).

    Args:
        n: completions drawn.
        c: how many of them passed.
        k: how many one may try.

    Returns:
        The estimate, from 0 to 1.

    Raises:
        SettingError: not 1 <= k <= n, or not 0 <= c <= n.
    """
    if not 1 <= k <= n:
        raise SettingError(f"pass@{k} needs at least {max(k, 1)} completions and k of 1 or more")
    if not 0 <= c <= n:
        raise SettingError(f"{c} of {n} completions cannot have passed; give 0 to {n}")
    if n - c < k:
        return 1.0
    return 1.0 - prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float:
    """The mean of `pass_at_k` over problems.

    Args:
        counts: of each problem (completions drawn, completions that passed).
        k: how many one may try.

    Returns:
        The mean, from 0 to 1.

    Raises:
        SettingError: there is no problem, or one has fewer than k completions.
    """
    if not counts:
        raise SettingError("pass@k of no problem is not defined; give at least one")
    return fsum(pass_at_k(n, c, k) for n, c in counts) / len(counts)
