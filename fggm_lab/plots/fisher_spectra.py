"""Fisher spectra: how unequal the units' scores are, and which of them a keep share lets move."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import SCOPES, Scope
from fggm_lab.masks.keep import check_scope
from fggm_lab.models.names import split_name
from fggm_lab.plots import fisher_spectra_text as text
from fggm_lab.plots import theme
from fggm_lab.plots.layer_shares import OUTSIDE, Cut, cuts, layer_name
from fggm_lab.plots.thinning import PER_STRETCH, POINTS, decimate

KEEPS = tuple(round(0.05 * i, 2) for i in range(1, 21))
"""The keep shares of the slider inside a figure."""


def fisher_spectra(
    scores: FisherScores, keep: float = 0.3, scope: Scope = "parameter", controls: bool = True
) -> go.Figure:
    """Sorted unit scores of every parameter, and the share of each layer that would move.

    A parameter's curve falls from its highest unit to its lowest. Under scope `parameter` every
    parameter moves its own top share, so the cut is one vertical line; under scope `global` it is
    one score for all, a horizontal line.

    Args:
        scores: of one task.
        keep: the share of units that move, in (0, 1].
        scope: `parameter` or `global`, as in `Mask.top`.
        controls: draw a slider for the keep share, a switch for the scope and a list of modules
            into the figure itself.

    Raises:
        SettingError: `keep` or `scope` is outside what it may be.
    """
    scope = check_scope(scope)
    kept = cuts(scores, keep)
    figure = make_subplots(
        1, 2, column_widths=[0.7, 0.3], horizontal_spacing=0.15,
        subplot_titles=["unit scores, sorted", "share of units that would move"],
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    lines = _spectra(scores)
    figure.add_traces(lines, 1, 1)
    for name in SCOPES:
        cut, bars = _cut_traces(kept[name], scores, name)
        cut.visible = bars.visible = name == scope
        figure.add_trace(cut, 1, 1)
        figure.add_trace(bars, 1, 2)
    figure.update_xaxes(title_text="units, highest score first (share of the parameter's units)",
                        tickformat=".0%", range=[0, 1], row=1, col=1)  # fmt: skip
    figure.update_yaxes(
        title_text="Fisher score of a unit (nats² per weight²)", type="log", **theme.POWERS,
        range=_decades(scores), dtick=_tick_every(scores), row=1, col=1,
    )  # fmt: skip
    figure.update_xaxes(title_text="share of the layer's units", tickformat=".0%", range=[0, 1.25],
                        tickvals=[0, 0.5, 1], row=1, col=2)  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", row=1, col=2)
    height = max(430, 18 * len(kept[scope].shares) + 180)
    figure.update_layout(
        height=height, margin={"t": 36, "b": 56, "l": 70, "r": 12}, legend_visible=False,
        bargap=0.45, hovermode="closest",
    )  # fmt: skip
    if controls:
        _add_controls(figure, scores, keep, scope, len(lines))
    title = "Fisher spectra" + (f": {scores.made.task}" if scores.made.task else "")
    return theme.finish(
        figure,
        title,
        text.caption(scores, _points_each(scores)),
        text.describe(scores, kept[scope], scope),
    )


def describe_spectra(scores: FisherScores, keep: float = 0.3, scope: Scope = "parameter") -> str:
    """The figure in words: range of the scores, zeros, the cut and each layer's share.

    Args:
        scores, keep, scope: as for `fisher_spectra`.
    """
    scope = check_scope(scope)
    return text.describe(scores, cuts(scores, keep)[scope], scope)


def show_keep(figure: go.Figure, scores: FisherScores, keep: float, scope: Scope) -> str:
    """Move the cut and the bars of a figure `fisher_spectra` drew to another keep share or scope.

    Args:
        figure: of these scores; changed in place, in one message if it is a FigureWidget.

    Returns:
        the figure in words as it is then.
    """
    scope = check_scope(scope)
    kept = cuts(scores, keep)
    last = figure.data[-2 * len(SCOPES) :]
    with figure.batch_update():
        for name in SCOPES:
            for new in _cut_traces(kept[name], scores, name):
                old = next(trace for trace in last if trace.meta == new.meta)
                old.update(new.to_plotly_json(), visible=name == scope)
    return text.describe(scores, kept[scope], scope)


def show_module(figure: go.Figure, module: str | None, layer: str | None = None) -> None:
    """Show only some curves of a figure `fisher_spectra` drew.

    Args:
        figure: changed in place.
        module: of the curves to show; None: all.
        layer: the name of their layer, `layer 3` or `outside layers`; None: all.
    """
    with figure.batch_update():
        for trace in figure.data:
            if "module" in trace.meta:
                of = trace.meta["module"], trace.meta["layer"]
                trace.visible = module in (None, of[0]) and layer in (None, of[1])


def modules_of(scores: FisherScores) -> list[str]:
    """The names of the modules within layers, and of parameters outside layers."""
    return list(dict.fromkeys(split_name(name).module for name in scores.names))


# Traces


def _spectra(scores: FisherScores) -> list[go.Scatter]:
    """One curve per parameter, coloured by depth; scores of 0 end it, a log axis has no 0."""
    filled = {name: s for name, s in scores.units.items() if s.numel()}
    each = _points_each(scores)
    layers = [n for name in filled if (n := split_name(name).layer) is not None]
    deepest = max(layers, default=0)
    traces = []
    for name, tensor in filled.items():
        place = split_name(name)
        ordered = np.sort(tensor.double().numpy())[::-1]
        positions, values = decimate(ordered[ordered > 0], each)
        traces.append(
            go.Scatter(
                x=(positions + 1) / len(ordered),
                y=values,
                mode="lines+markers" if len(values) < 3 else "lines",
                name=f"{layer_name(place.layer)} · {place.module}",
                meta={"module": place.module, "layer": layer_name(place.layer)},
                line={
                    "color": theme.depth_colour(place.layer, deepest),
                    "width": 1.4,
                    "dash": "dash" if place.layer is None else "solid",
                },
                opacity=0.85,
                hovertemplate=(
                    f"<b>{place.module}</b><br>{layer_name(place.layer)}, {len(ordered):,} units"
                    "<br>score %{y:.3e}<br>top %{x:.1%} of its units<extra></extra>"
                ),
            )
        )
    return traces


def _points_each(scores: FisherScores) -> int:
    """The most points one curve may have."""
    return max(POINTS // sum(1 for s in scores.units.values() if s.numel()), PER_STRETCH)


def _cut_traces(kept: Cut, scores: FisherScores, scope: Scope) -> tuple[go.Scatter, go.Bar]:
    """The line between what moves and what is frozen, and the bars of the layers' shares."""
    if scope == "parameter":
        x, y = [kept.keep, kept.keep], [10.0**e for e in _decades(scores)]
        says = f"every parameter moves its top {theme.percent(kept.keep)}"
    else:
        x, y = [0, 1], [kept.lowest or None] * 2
        says = f"units with a score from {kept.lowest:.3g} move"
    cut = go.Scatter(
        x=x, y=y, mode="lines", name="threshold", meta={"part": f"cut-{scope}"},
        line={"color": theme.INK, "width": 2.5, "dash": "dash"},
        hovertemplate=f"{says}<extra></extra>",
    )  # fmt: skip
    layers = [s.layer for s in kept.shares]
    numbers = [int(n.split()[1]) for n in layers if n != OUTSIDE]
    bars = go.Bar(
        x=[s.share for s in kept.shares],
        y=layers,
        orientation="h",
        name="share that would move",
        meta={"part": f"bars-{scope}"},
        marker={
            "color": [
                theme.depth_colour(
                    None if n == OUTSIDE else int(n.split()[1]), max(numbers, default=0)
                )
                for n in layers
            ],
            "line": {"color": theme.INK, "width": 0.5},
        },
        text=[theme.percent(s.share) for s in kept.shares],
        textposition="outside",
        cliponaxis=False,
        customdata=[[f"{s.moved:,}", f"{s.units:,}"] for s in kept.shares],
        hovertemplate="%{y}<br>%{customdata[0]} of %{customdata[1]} units move<extra></extra>",
    )
    return cut, bars


def _decades(scores: FisherScores) -> list[float]:
    """The range of the score axis, in powers of ten."""
    low, high = text.positive(scores)
    return [float(np.floor(np.log10(low))), float(np.ceil(np.log10(high)) + 0.2)]


def _tick_every(scores: FisherScores) -> int:
    low, high = _decades(scores)
    return max(1, int((high - low) // 9) + 1)


# Controls inside the figure


def _add_controls(
    figure: go.Figure, scores: FisherScores, keep: float, scope: Scope, lines: int
) -> None:
    shares = sorted({*KEEPS, keep})
    drawn = list(range(lines, lines + 2 * len(SCOPES)))
    steps = []
    for share in shares:
        kept = cuts(scores, share)
        traces = [t for name in SCOPES for t in _cut_traces(kept[name], scores, name)]
        changes: dict[str, list[Any]] = {
            key: [list(t[key]) for t in traces] for key in ("x", "y")
        } | {
            "text": [None if t.text is None else list(t.text) for t in traces],
            "customdata": [None if t.customdata is None else list(t.customdata) for t in traces],
            "hovertemplate": [t.hovertemplate for t in traces],
        }
        steps.append({"method": "restyle", "label": theme.percent(share), "args": [changes, drawn]})
    modules = modules_of(scores)
    curves = list(range(lines))
    every = [t.meta["module"] for t in figure.data[:lines]]
    figure.update_layout(
        sliders=[
            {
                "active": shares.index(keep),
                "steps": steps,
                "currentvalue": {"prefix": "keep share: ", "font": {"size": theme.TEXT}},
                "pad": {"t": 62, "b": 0},
                "font": {"size": 11},
                "bgcolor": theme.FAINT,
                "bordercolor": theme.INK,
            }
        ],
        updatemenus=[
            _menu(
                [f"scope: {name}" for name in SCOPES],
                [{"visible": [name == n for n in SCOPES for _ in range(2)]} for name in SCOPES],
                drawn,
                0,
                SCOPES.index(scope),
            ),
            _menu(
                ["all modules", *modules],
                [{"visible": [m in (None, e) for e in every]} for m in (None, *modules)],
                curves,
                0.17,
                0,
            ),
        ],
        margin_b=150,
        margin_t=74,
        height=figure.layout.height + 132,
    )


def _menu(
    labels: Sequence[str], changes: Sequence[dict[str, Any]], traces: list[int], x: float,
    active: int,
) -> dict[str, Any]:  # fmt: skip
    buttons = [
        {"method": "restyle", "label": label, "args": [change, traces]}
        for label, change in zip(labels, changes, strict=True)
    ]
    return {**theme.MENU, "active": active, "x": x, "buttons": buttons}
