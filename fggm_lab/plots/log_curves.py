"""Any scalar of the log of runs against the training step, smoothed or on a log axis if asked."""

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.score_curves import Segment, curves_of
from fggm_lab.plots.smoothing import smoothed, smoothing_text
from fggm_lab.plots.styles import Style, method_styles
from fggm_lab.plots.thinning import MAX_POINTS, thin_line
from fggm_lab.runs import RunsLike, as_runs
from fggm_lab.runs.scalars import Series, scalar_of

_TITLES = {
    "loss": "loss (nats per token)",
    "lr": "learning rate",
    "norm": "gradient norm",
    "nll": "nats per token",
    "score": "score (0–1)",
    "exact": "exact answers (0–1)",
    "peak_memory_mb": "peak memory (MiB)",
    "stored_bytes": "stored bytes",
    "seconds": "seconds",
}
"""The first or the last part of a scalar's name → the title of its axis."""
_MAX_MARKERS = 60
"""The most points of a curve with markers."""
_MIN_POINTS = 8
"""How many points a curve may have however many curves there are."""


def log_curves(
    runs: RunsLike, scalar: str = "loss", *, smoothing: float = 0.0, log: bool = False
) -> go.Figure:
    """A scalar of the log against the training step, a line per run, task boundaries marked.

    Args:
        runs: a run, a folder of runs or several of either, finished or still being written.
        scalar: its name, as `fggm_lab.runs.log_scalars` has it: `loss`, `lr`, `norm`, `general`,
            `general/SKILL`, `TASK/score`, …
        smoothing: the weight of an exponential moving average with bias correction
            (`fggm_lab.plots.smoothing.smoothed`); the curve as it is stays behind it, faint.
        log: a log axis; what is not above 0 is left out.

    Returns:
        The figure.

    Raises:
        SettingError: a run has no such scalar, and the message lists those it has; or `smoothing`
            is outside what it may be.
        RunError: there is no run, or nothing is in its log yet.
    """
    opened = as_runs(runs)
    curves = curves_of(opened)
    series = {
        curve.label: scalar_of(run, scalar) for run, curve in zip(opened, curves, strict=True)
    }
    omitted = 0
    if log:
        shown = {label: [(x, y) for x, y in points if y > 0] for label, points in series.items()}
        omitted = sum(map(len, series.values())) - sum(map(len, shown.values()))
        series = shown
    if not any(series.values()):
        raise SettingError(f"'{scalar}' has no value above 0 for a log axis; draw it without")
    figure = go.Figure()
    most = max(MAX_POINTS // (len(series) * (2 if smoothing else 1)) - 4, _MIN_POINTS)
    for (label, points), style in zip(
        series.items(), method_styles(list(series)).values(), strict=True
    ):
        if smoothing:
            figure.add_trace(
                _line(label, points, style, most).update(opacity=0.3, showlegend=False)
            )
        means = smoothed([y for _, y in points], smoothing)
        curve = [(x, y) for (x, _), y in zip(points, means, strict=True)]
        figure.add_trace(_line(label, curve, style, most))
    _mark_tasks(figure, max((curve.segments for curve in curves), key=len))
    title = _axis_title(scalar)
    figure.update_xaxes(title_text="training step", showgrid=False)
    figure.update_yaxes(title_text=title, type="log" if log else "linear",
                        **theme.POWERS if log else {})  # fmt: skip
    figure.update_layout(
        height=340, hovermode="closest", showlegend=True, margin={"t": 64, "l": 76}
    )
    return finish(
        figure,
        f"Log: {scalar}",
        _caption(title, smoothing, log, omitted),
        _describe(scalar, series),
    )


def _line(label: str, points: Series, style: Style, most: int) -> go.Scatter:
    thinned = thin_line(points, most)
    return go.Scatter(
        x=[x for x, _ in thinned], y=[y for _, y in thinned], name=label, legendgroup=label,
        mode="lines+markers" if len(points) <= _MAX_MARKERS else "lines",
        line={"color": style.colour, "dash": style.dash, "width": 1.8},
        marker={"color": style.colour, "symbol": style.symbol, "size": 6},
        hovertemplate=f"<b>{as_label(label)}</b><br>step %{{x:,d}}: %{{y:.4g}}<extra></extra>",
    )  # fmt: skip


def _mark_tasks(figure: go.Figure, segments: list[Segment]) -> None:
    """A dotted line where each task ends, and the tasks' names above."""
    edges = [
        {"type": "line", "x0": segment.end, "x1": segment.end, "xref": "x", "y0": 0, "y1": 1,
         "yref": "paper", "line": {"color": theme.INK, "width": 1, "dash": "dot"}, "opacity": 0.6,
         "layer": "below"}
        for segment in segments
    ]  # fmt: skip
    names = [
        {
            "text": as_label(segment.name),
            "x": (segment.start + segment.end) / 2,
            "xref": "x",
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": theme.SMALL},
            "textangle": -30 if len(segments) > 4 else 0,
        }
        for segment in segments
    ]
    figure.update_layout(shapes=edges, annotations=names)


def _axis_title(scalar: str) -> str:
    first, _, last = scalar.partition("/")
    if first == "general":
        return f"General: {last}" if last else "General"
    return _TITLES.get(last.rpartition("/")[2]) or _TITLES.get(first) or scalar


def _caption(title: str, smoothing: float, log: bool, omitted: int) -> str:
    text = f"The {title} that each run's log has, over all its steps; dotted lines end tasks."
    if smoothing:
        text += f" Smoothed {smoothing_text(smoothing)}."
    if log:
        text += " The axis is logarithmic"
        number = "1 value not above 0 is" if omitted == 1 else f"{omitted:,} values not above 0 are"
        text += f"; {number} left out." if omitted else "."
    return text


def _describe(scalar: str, series: dict[str, Series]) -> str:
    sentences = []
    for label, points in series.items():
        if not points:
            sentences.append(f"{label} has no {scalar} above 0")
            continue
        low, high = (find(points, key=lambda point: point[1]) for find in (min, max))
        sentences.append(
            f"{scalar} of {label}: {len(points):,} values, from {points[0][1]:.4g} at step "
            f"{points[0][0]:,} to {points[-1][1]:.4g} at step {points[-1][0]:,}; lowest "
            f"{low[1]:.4g} at step {low[0]:,}, highest {high[1]:.4g} at step {high[0]:,}"
        )
    return ". ".join(sentences) + "."
