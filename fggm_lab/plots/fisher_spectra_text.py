"""What Fisher spectra show, in words: the caption, and the text for who cannot see them."""

import numpy as np

from fggm_lab.fisher.scores import FisherScores
from fggm_lab.plots.layer_shares import OUTSIDE, Cut
from fggm_lab.plots.theme import percent


def positive(scores: FisherScores) -> tuple[float, float]:
    """The lowest and the highest score above 0; (1, 1) if there is none."""
    arrays = [s.cpu().numpy() for s in scores.units.values()]
    above = [some for values in arrays if (some := values[values > 0]).size]
    if not above:
        return 1.0, 1.0
    return min(float(some.min()) for some in above), max(float(some.max()) for some in above)


def _zeros(scores: FisherScores) -> tuple[int, int]:
    """How many units score exactly 0, and how many units there are."""
    zero = sum(int(np.count_nonzero(s.cpu().numpy() == 0)) for s in scores.units.values())
    return zero, scores.unit_count


def caption(scores: FisherScores, each: int) -> str:
    """How to read the figure; `each` is the most points a curve is drawn with."""
    zero, units = _zeros(scores)
    made = scores.made
    longest = max(s.numel() for s in scores.units.values())
    task = f" on {made.task}" if made.task else ""
    text = (
        f"One curve per parameter, coloured by depth (dark: first layer; dashed: {OUTSIDE}). "
        f"{made.estimator.capitalize()} Fisher{task}, {made.examples:,} examples. "
        "The dashed grey line is the cut: upright, every parameter moves its own top share (scope "
        "parameter); level, one score cuts all (scope global). "
    )
    if zero:
        text += (
            f"{zero:,} of {units:,} units ({percent(zero / units)}) score exactly 0, which a "
            "log axis cannot show: there a curve ends early. "
        )
    if longest > each:
        text += (
            f"Longer curves are drawn with at most {each:,} points: maximum, median and minimum of "
            "equal stretches of the sorted scores."
        )
    return text.strip()


def describe(scores: FisherScores, kept: Cut, scope: str) -> str:
    """The range of the scores, the zeros, the cut and each layer's share."""
    zero, units = _zeros(scores)
    low, high = positive(scores)
    span = (
        f"from {low:.1e} to {high:.1e}, {np.log10(high / low):.1f} powers of ten"
        if zero < units
        else "all of them 0"
    )
    moves = ", ".join(f"{s.layer} {percent(s.share)}" for s in kept.shares)
    cut = (
        "each parameter's own top share"
        if scope == "parameter"
        else f"the units scoring {kept.lowest:.1e} or more"
    )
    tie = ""
    if scope == "global" and kept.lowest == 0:
        cut = "all units above 0 and, so as to fill the share, the first units that score 0"
    if zero:
        tie = f" {zero:,} units score exactly 0."
    return (
        f"{units:,} units in {len(scores.names)} parameters; scores span {span}.{tie} With a keep "
        f"share of {percent(kept.keep)}, scope {scope}, {cut} would move: {moves}."
    )
