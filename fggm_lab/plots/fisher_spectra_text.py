"""The words of `fisher_spectra`."""

from typing import Any

import numpy as np

from fggm_lab.fisher.scores import FisherScores
from fggm_lab.models.names import OUTSIDE
from fggm_lab.plots.template import Text
from fggm_lab.plots.theme import percent


def positive(scores: FisherScores) -> tuple[float, float]:
    """The lowest and the highest score above 0; (1, 1) if there is none."""
    arrays = [s.cpu().numpy() for s in scores.units.values()]
    above = [values_above for values in arrays if (values_above := values[values > 0]).size]
    if not above:
        return 1.0, 1.0
    return min(float(values_above.min()) for values_above in above), max(
        float(values_above.max()) for values_above in above
    )


def _zeros(scores: FisherScores) -> tuple[int, int]:
    """How many units score exactly 0, and how many units there are."""
    zero = sum(int(np.count_nonzero(s.cpu().numpy() == 0)) for s in scores.units.values())
    return zero, scores.unit_count


def _caption(scores: FisherScores, max_points: int) -> str:
    """How to read the figure, whose curves are drawn with at most `max_points` points each."""
    zero, units = _zeros(scores)
    info = scores.info
    longest = max(s.numel() for s in scores.units.values())
    task = f" on {info.task}" if info.task else ""
    text = (
        "One curve per parameter, coloured by depth (violet: first layer, olive: last; dashed: "
        f"{OUTSIDE}). "
        f"{info.estimator.capitalize()} Fisher{task}, {info.examples:,} examples. "
        "The dashed grey line is the cut: upright, every parameter moves its own top share (scope "
        "parameter); level, one score cuts all (scope global). "
    )
    if zero:
        text += (
            f"{zero:,} of {units:,} units ({percent(zero / units)}) score exactly 0, which a "
            "log axis cannot show: there a curve ends early. "
        )
    if longest > max_points:
        text += (
            f"Longer curves are drawn with at most {max_points:,} points: maximum, median and "
            "minimum of equal stretches of the sorted scores."
        )
    return text.strip()


def settings(scores: FisherScores, max_points: int) -> dict[str, Any]:
    """What the words say of the scores, whatever the cut.

    Args:
        scores: of the figure.
        max_points: the most points of a curve.

    Returns:
        The title, the caption, and values that `TEXTS` name.
    """
    zero, units = _zeros(scores)
    low, high = positive(scores)
    return {
        "title": "Fisher spectra" + (f": {scores.info.task}" if scores.info.task else ""),
        "caption": _caption(scores, max_points),
        "unit_count": units,
        "parameter_count": len(scores.names),
        "zeros": zero or None,
        "span": (
            f"from {low:.1e} to {high:.1e}, {np.log10(high / low):.1f} powers of ten"
            if zero < units
            else "all of them 0"
        ),
    }


TEXTS = {
    "parameter_hover": Text("every parameter moves its top {keep:percent}<extra></extra>"),
    "global_hover": Text(
        "[units with a score from {lowest:.3g} move][no unit moves{no_unit_moves}]<extra></extra>"
    ),
    "bar_texts": Text("{shares:percent}"),
    "moves": Text("{layers} {marked_shares:percent}", join=", "),
    "description": Text(
        "{unit_count:,} units in {parameter_count} parameters; scores span {span}."
        "[ {zeros:,} units score exactly 0.] With a keep share of {keep:percent}, scope {scope}, "
        "[each parameter's own top share{in_parameters}]"
        "[the units scoring {above:.1e} or more]"
        "[all units above 0 and, so as to fill the share, the first units that score 0{tied}]"
        "[no unit{no_unit}] would move: {moves}."
    ),
}
