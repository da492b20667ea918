"""The progress of a run: scores, loss and the share of units that move, while it trains."""

from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.labels import as_label
from fggm_lab.plots.run_state import RunState
from fggm_lab.plots.score_curves import GENERAL
from fggm_lab.plots.smoothing import smoothed, smoothing_text
from fggm_lab.plots.styles import BLUE, VERMILLION, Style, task_styles
from fggm_lab.plots.thinning import thin_evenly
from fggm_lab.runs import Run, one_run

MAX_SCORE_POINTS = 3000
"""The most points of all tasks together; with the loss, less than 5,000 in the figure."""
_BAND = "rgba(127,127,127,0.3)"
_SCORES, _LOSS, _SHARE = 1, 2, 3
_HEIGHTS = (0.56, 0.28, 0.16)


def training_progress(
    run: Run | str | Path | RunState, *, smoothing: float = 0.0, log: bool = False
) -> go.Figure:
    """Scores, loss and mask share against the training step, as far as the run has come.

    Args:
        run: a run or its folder, finished or not, or what is known of a run so far.
        smoothing: of the loss, the weight of an exponential moving average with bias correction
            (`fggm_lab.plots.smoothed`); the loss as it is stays behind it, faint.
        log: a log axis for the loss.

    Returns:
        The figure; `fill` extends it while the run goes on.

    Raises:
        SettingError: `smoothing` is outside what it may be.
    """
    state = run if isinstance(run, RunState) else RunState.of(one_run(run))
    figure = fill(_empty(state), state, smoothing)
    caption = progress_caption(state)
    if smoothing:
        figure.update_traces(line_width=1, selector={"name": "highest loss"})
        caption += f" The loss is smoothed {smoothing_text(smoothing)}."
    if log:
        figure.update_yaxes(type="log", rangemode="normal", row=_LOSS, **theme.POWERS)
        caption += " The axis of the loss is logarithmic."
    return finish(figure, "Training", caption, progress_description(state))


def progress_description(state: RunState) -> str:
    """The figure in words: how far the run is, its last loss, every task's latest score."""
    if state.finished:
        first = f"All {len(state.names)} tasks are trained, in {state.step:,} steps"
    elif state.step == 0:
        first = "No step has been taken yet"
    else:
        first = progress_sentence(state)
    if state.loss is not None:
        first += f"; the last loss is {state.loss:.3f} nats per answer token"
    sentences = [first]
    latest = [(name, state.points(name)) for name in state.names]
    if scores := [f"{name} {points[-1].score:.2f}" for name, points in latest if points]:
        sentences.append(f"Latest scores: {', '.join(scores)}")
    if general := state.general():
        what = GENERAL if state.general_better == "higher" else f"{GENERAL} (a loss)"
        sentences.append(f"{what} from {general[0].score:.2f} to {general[-1].score:.2f}")
    shares_by_task = zip(state.names, state.shares, strict=True)
    if shares := [
        f"{name} {theme.percent(share)}" for name, share in shares_by_task if share is not None
    ]:
        sentences.append(f"Share of units that may move: {', '.join(shares)}")
    return ". ".join(sentences) + "."


def progress_sentence(state: RunState) -> str:
    """`Step 120 of 500, task 2 of 8 (FOMC)`."""
    text = f"Step {state.step:,}" + (f" of {state.total:,}" if state.total else "")
    if state.task < 0:
        return text
    name = state.names[state.task]
    return f"{text}, task {state.task + 1} of {len(state.names)} ({name})"


def progress_caption(state: RunState) -> str:
    """How to read the figure, as it is now."""
    width = state.losses().width
    text = (
        "Above, the score of every task (big markers: the whole split at the end of a task; small "
        "ones: a sample inside it). "
    )
    if width == 1:
        text += "Middle, the loss of every step. "
    else:
        text += (
            f"Middle, the loss in stretches of {width} steps: the median, and a band from the "
            "lowest to the highest. "
        )
    text += (
        "Below, the share of all units that a task's mask lets move; 100 % where a method has no "
        "mask for the whole task."
    )
    if any(len(state.points(name)) > _points_per_curve(state) for name in state.names):
        text += " Long curves show every k-th measurement, the last one always."
    return text


# The figure, empty and filled


def _empty(state: RunState) -> go.Figure:
    """All panels and traces, without a point."""
    figure = make_subplots(
        3, 1, shared_xaxes=True, vertical_spacing=0.06, row_heights=_HEIGHTS,
    )  # fmt: skip
    for name, style in task_styles(state.names).items():
        figure.add_trace(_line(name, style), _SCORES, 1)
    scored = state.general_better == "higher"
    general = _line(GENERAL, Style(theme.INK, "solid", "circle-open"))
    figure.add_trace(general.update(line_width=2.6), _SCORES if scored else _LOSS, 1)
    edge = {
        "mode": "lines",
        "line": {"width": 0, "color": _BAND},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    figure.add_scatter(**edge, name="lowest loss", row=_LOSS, col=1)
    figure.add_scatter(**edge, name="highest loss", fill="tonexty", fillcolor=_BAND,
                       row=_LOSS, col=1)  # fmt: skip
    figure.add_scatter(
        mode="lines", name="loss", showlegend=False, line={"color": VERMILLION, "width": 1.5},
        hovertemplate="step %{x:,d}: loss %{y:.4f}<extra></extra>", row=_LOSS, col=1,
    )  # fmt: skip
    figure.add_scatter(
        mode="lines", name="mask share", showlegend=False, connectgaps=False,
        line={"color": BLUE, "width": 4},
        hovertemplate="%{y:.1%} of the units may move<extra></extra>", row=_SHARE, col=1,
    )  # fmt: skip
    figure.update_yaxes(title_text="score (0–1)", range=[-0.04, 1.06],
                        tickvals=[0, 0.25, 0.5, 0.75, 1], row=_SCORES)  # fmt: skip
    figure.update_yaxes(title_text="loss (nats<br>per token)", rangemode="tozero", row=_LOSS)
    figure.update_yaxes(title_text="mask<br>share", range=[0, 1.1], tickvals=[0, 0.5, 1],
                        tickformat=".0%", row=_SHARE)  # fmt: skip
    figure.update_xaxes(showgrid=False)
    figure.update_xaxes(ticks="", row=_LOSS)
    figure.update_xaxes(side="top", showticklabels=True, title_text="training step", row=_SCORES)
    figure.update_xaxes(title_text="task in training", row=_SHARE)
    figure.update_layout(
        height=600, hovermode="closest", legend={"traceorder": "normal"}, margin={"t": 60, "l": 76},
    )  # fmt: skip
    return figure


def _line(name: str, style: Style) -> go.Scatter:
    return go.Scatter(
        name=name, mode="lines+markers", line={"color": style.colour, "dash": style.dash},
        marker={"color": style.colour, "symbol": style.symbol, "line": {"width": 0}, "opacity": 1},
        meta={"name": name},
        hovertemplate=f"<b>{as_label(name)}</b><br>step %{{x:,d}}: %{{y:.4f}}<extra></extra>",
    )  # fmt: skip


def fill(figure: go.Figure, state: RunState, smoothing: float = 0.0) -> go.Figure:
    """Give a figure of `training_progress` all points there are by now, in place.

    Traces and panels stay, so that a figure on screen is extended and not drawn anew.

    Args:
        figure: changed in place.
        state: what is known of the run by now.
        smoothing: of the loss, as `training_progress` takes it.

    Returns:
        The figure.
    """
    shown_range = figure.layout.xaxis.range
    if state.planned and (shown_range is None or shown_range[1] != 1.01 * state.total):
        _mark_tasks(figure, state)
    *scores, low, high, middle, share = figure.data
    curves = [*(state.points(name) for name in state.names), state.general()]
    for trace, points in zip(scores, curves, strict=True):
        shown = thin_evenly(points, _points_per_curve(state))
        trace.update(
            x=[p.step for p in shown],
            y=[p.score for p in shown],
            marker_size=[9 if p.final else 4 for p in shown],
        )
    loss = state.losses()
    curve = smoothed(loss.middle.tolist(), smoothing) if smoothing else loss.middle
    for trace, values in ((low, loss.low), (high, loss.high), (middle, curve)):
        trace.update(x=loss.step, y=values)
    share.update(**_shares(state))
    return figure


def _points_per_curve(state: RunState) -> int:
    """The most points of one curve."""
    return max(2, MAX_SCORE_POINTS // (len(state.names) + 1))


def _shares(state: RunState) -> dict[str, list[float | None]]:
    """A level stretch for every task whose share is known."""
    x: list[float | None] = []
    y: list[float | None] = []
    for start, end, share in zip([0, *state.ends], state.ends, state.shares, strict=False):
        if share is not None:
            x += [start, end, None]
            y += [share, share, None]
    return {"x": x, "y": y}


def _mark_tasks(figure: go.Figure, state: RunState) -> None:
    """Set the axis to the last planned step, with a line where each task ends, and task names."""
    edges = [
        {
            "type": "line", "xref": "x", "yref": "paper", "x0": end, "x1": end, "y0": 0, "y1": 1,
            "layer": "below", "opacity": 0.6,
            "line": {"color": theme.INK, "width": 1, "dash": "dot"},
        }
        for end in state.ends
    ]  # fmt: skip
    total = state.total
    span = [-0.01 * total, 1.01 * total]
    middles = [(start + end) / 2 for start, end in zip([0, *state.ends], state.ends, strict=False)]
    figure.update_layout(
        shapes=edges, xaxis_range=span, xaxis2_range=span,
        xaxis3={"range": span, "tickvals": middles, "ticks": "", "autotickangles": [0, 90],
                "ticktext": list(map(as_label, state.names))},
    )  # fmt: skip
