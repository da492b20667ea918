"""A run while it trains: scores, loss and what each task's mask lets move, as they grow."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.plots import theme
from fggm_lab.plots.run_state import RunSoFar
from fggm_lab.plots.score_curves import GENERAL, Point
from fggm_lab.runs import Run

MOST = 3000
"""The most points of all tasks together; with the loss, less than 5,000 in the figure."""
_BAND = "rgba(127,127,127,0.3)"
_SCORES, _LOSS, _SHARE = 1, 2, 3
_HEIGHTS = (0.56, 0.28, 0.16)


def training_progress(run: Run | RunSoFar) -> go.Figure:
    """Scores, loss and mask share against the training step, as far as the run has come.

    Args:
        run: a run, finished or not, or what is known of it so far.
    """
    so_far = RunSoFar.of(run) if isinstance(run, Run) else run
    figure = fill(_empty(so_far), so_far)
    return theme.finish(figure, "Training", caption_now(so_far), describe_progress(so_far))


def describe_progress(run: Run | RunSoFar) -> str:
    """The figure in words: how far the run is, its last loss, every task's latest score."""
    so_far = RunSoFar.of(run) if isinstance(run, Run) else run
    if so_far.finished:
        said = f"All {len(so_far.names)} tasks are trained, in {so_far.step:,} steps"
    elif so_far.step == 0:
        said = "No step has been taken yet"
    else:
        said = place(so_far)
    if so_far.loss is not None:
        said += f"; the last loss is {so_far.loss:.3f} nats per answer token"
    sentences = [said]
    latest = [(name, so_far.points(name)) for name in so_far.names]
    if scores := [f"{name} {points[-1].score:.2f}" for name, points in latest if points]:
        sentences.append(f"Latest scores: {', '.join(scores)}")
    if general := so_far.general():
        what = GENERAL if so_far.general_better == "higher" else f"{GENERAL} (a loss)"
        sentences.append(f"{what} from {general[0].score:.2f} to {general[-1].score:.2f}")
    known = zip(so_far.names, so_far.shares, strict=True)
    if shares := [f"{name} {theme.percent(share)}" for name, share in known if share is not None]:
        sentences.append(f"Share of units that may move: {', '.join(shares)}")
    return ". ".join(sentences) + "."


def place(so_far: RunSoFar) -> str:
    """`Step 120 of 500, task 2 of 8 (FOMC)`."""
    text = f"Step {so_far.step:,}" + (f" of {so_far.total:,}" if so_far.total else "")
    if so_far.task < 0:
        return text
    name = so_far.names[so_far.task]
    return f"{text}, task {so_far.task + 1} of {len(so_far.names)} ({name})"


def caption_now(so_far: RunSoFar) -> str:
    """How to read the figure, as it is now."""
    width = so_far.losses().width
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
    if any(len(so_far.points(name)) > _each(so_far) for name in so_far.names):
        text += " Long curves show every k-th measurement, the last one always."
    return text


# The figure, empty and filled


def _empty(so_far: RunSoFar) -> go.Figure:
    """All panels and traces, without a point."""
    figure = make_subplots(
        3, 1, shared_xaxes=True, vertical_spacing=0.06, row_heights=_HEIGHTS,
    )  # fmt: skip
    for name, style in theme.task_styles(so_far.names).items():
        figure.add_trace(_line(name, style), _SCORES, 1)
    scored = so_far.general_better == "higher"
    general = _line(GENERAL, theme.Style(theme.INK, "solid", "circle-open"))
    figure.add_trace(general.update(line_width=2.6), _SCORES if scored else _LOSS, 1)
    edge = {"mode": "lines", "line_width": 0, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(**edge, name="lowest loss", row=_LOSS, col=1)
    figure.add_scatter(**edge, name="highest loss", fill="tonexty", fillcolor=_BAND,
                       row=_LOSS, col=1)  # fmt: skip
    figure.add_scatter(
        mode="lines", name="loss", showlegend=False, line={"color": theme.VERMILLION, "width": 1.5},
        hovertemplate="step %{x:,d}: loss %{y:.4f}<extra></extra>", row=_LOSS, col=1,
    )  # fmt: skip
    figure.add_scatter(
        mode="lines", name="mask share", showlegend=False, connectgaps=False,
        line={"color": theme.BLUE, "width": 4},
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
        height=620, hovermode="closest", legend={"x": 1.02, "y": 1, "traceorder": "normal"},
        margin={"t": 56, "b": 100, "l": 76, "r": 16},
    )  # fmt: skip
    return figure


def _line(name: str, style: theme.Style) -> go.Scatter:
    return go.Scatter(
        name=name, mode="lines+markers", line={"color": style.colour, "dash": style.dash},
        marker={"color": style.colour, "symbol": style.symbol, "line": {"width": 0}, "opacity": 1},
        meta={"name": name},
        hovertemplate=f"<b>{name}</b><br>step %{{x:,d}}: %{{y:.4f}}<extra></extra>",
    )  # fmt: skip


def fill(figure: go.Figure, so_far: RunSoFar) -> go.Figure:
    """Give a figure of `training_progress` all points there are by now, in place.

    Traces and panels stay, so that a figure on screen is extended and not drawn anew.
    """
    if so_far.planned and figure.layout.xaxis.range is None:
        _mark_tasks(figure, so_far)
    *scores, low, high, middle, share = figure.data
    curves = [*(so_far.points(name) for name in so_far.names), so_far.general()]
    for trace, points in zip(scores, curves, strict=True):
        shown = thinned(points, _each(so_far))
        trace.update(
            x=[p.step for p in shown],
            y=[p.score for p in shown],
            marker_size=[9 if p.final else 4 for p in shown],
        )
    loss = so_far.losses()
    for trace, values in ((low, loss.low), (high, loss.high), (middle, loss.middle)):
        trace.update(x=loss.step, y=values)
    share.update(**_shares(so_far))
    return figure


def thinned(points: Sequence[Point], most: int) -> list[Point]:
    """Every k-th point, counted back from the last, so that at most `most` remain."""
    every = max(1, -(-len(points) // most))
    return list(points[::-1][::every][::-1])


def _each(so_far: RunSoFar) -> int:
    """The most points of one curve."""
    return max(2, MOST // (len(so_far.names) + 1))


def _shares(so_far: RunSoFar) -> dict[str, list[float | None]]:
    """A level stretch for every task whose share is known."""
    x: list[float | None] = []
    y: list[float | None] = []
    for start, end, share in zip([0, *so_far.ends], so_far.ends, so_far.shares, strict=False):
        if share is not None:
            x += [start, end, None]
            y += [share, share, None]
    return {"x": x, "y": y}


def _mark_tasks(figure: go.Figure, so_far: RunSoFar) -> None:
    """The whole plan: the axis to its last step, a line where each task ends, the tasks' names."""
    edges = [
        {
            "type": "line", "xref": "x", "yref": "paper", "x0": end, "x1": end, "y0": 0, "y1": 1,
            "layer": "below", "opacity": 0.6,
            "line": {"color": theme.INK, "width": 1, "dash": "dot"},
        }
        for end in so_far.ends
    ]  # fmt: skip
    total = so_far.total
    span = [-0.01 * total, 1.01 * total]
    middles = [
        (start + end) / 2 for start, end in zip([0, *so_far.ends], so_far.ends, strict=False)
    ]
    figure.update_layout(
        shapes=edges, xaxis_range=span, xaxis2_range=span,
        xaxis3={"range": span, "tickvals": middles, "ticktext": so_far.names, "ticks": "",
                "autotickangles": [0, 90]},
    )  # fmt: skip
