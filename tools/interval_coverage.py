"""How often a 95 % interval of a mean holds the true mean: `python -m tools.interval_coverage`.

Both intervals of `fggm_lab.runs.paired` are made of n numbers from a normal distribution, again and
again; the share that holds the distribution's mean is the coverage, to within 0.004.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

SIZES = (3, 5, 10)
"""Numbers of pairs: seeds, or pairs of a seed and an order."""
CONFIDENCE = 0.95
SIMULATIONS, DRAWS, CHUNK = 20_000, 2_000, 4_000

Interval = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Both ends, (simulations,) each."""


def students_t(values: NDArray[np.float64]) -> Interval:
    """Student's t intervals of the means of rows, (simulations, n)."""
    n = values.shape[1]
    half = stdtrit(n - 1, 0.5 + CONFIDENCE / 2) * values.std(axis=1, ddof=1) / np.sqrt(n)
    return values.mean(axis=1) - half, values.mean(axis=1) + half


def percentile_bootstrap(values: NDArray[np.float64], rng: np.random.Generator) -> Interval:
    """Percentile bootstrap intervals of the means of rows, (simulations, n).

    Args:
        values: the rows.
        rng: draws; all rows share its draws, each one's interval being distributed as with its own.

    Returns:
        Both ends of each row's interval.
    """
    n = values.shape[1]
    counts = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)
    low, high = np.quantile(
        values @ counts.T / n, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2], axis=1
    )
    return low, high


def coverage(n: int, simulations: int = SIMULATIONS, seed: int = 0) -> dict[str, float]:
    """The share of intervals that hold the true mean.

    Args:
        n: how many numbers each interval is of.
        simulations: how many intervals are made.
        seed: the same seed gives the same shares.

    Returns:
        `students_t` and `bootstrap`: share from 0 to 1.
    """
    rng = np.random.default_rng(seed)
    covered = {"students_t": 0, "bootstrap": 0}
    for first in range(0, simulations, CHUNK):
        values = rng.standard_normal((min(CHUNK, simulations - first), n))
        intervals = (students_t(values), percentile_bootstrap(values, rng))
        for name, (low, high) in zip(covered, intervals, strict=True):
            covered[name] += int(((low < 0) & (high > 0)).sum())
    return {name: count / simulations for name, count in covered.items()}


def main(sizes: Sequence[int] = SIZES) -> None:
    """Print the coverage of both intervals."""
    print("pairs  Student's t  bootstrap")
    for n in sizes:
        shares = coverage(n)
        print(f"{n:5}  {shares['students_t']:11.3f}  {shares['bootstrap']:9.3f}")


if __name__ == "__main__":
    main()
