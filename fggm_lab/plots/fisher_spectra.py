"""Fisher spectra: how unequal the units' scores are, and which of them a keep share lets move."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import check_scope
from fggm_lab.masks import SCOPES, Scope
from fggm_lab.models.names import OUTSIDE, layer_name, split_name
from fggm_lab.plots import fisher_spectra_text as text
from fggm_lab.plots import theme
from fggm_lab.plots.layer_shares import Cut, cuts
from fggm_lab.plots.thinning import MAX_POINTS, PER_STRETCH, thin_sorted

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
        scope: `parameter` or `global`: the top share of each parameter, or of the whole model.
        controls: draw a slider for the keep share, a switch for the scope and a list of modules
            into the figure itself.

    Returns:
        The figure: a curve per parameter, and beside them a bar per layer.

    Raises:
        SettingError: `keep` or `scope` is outside what it may be.
    """
    scope = check_scope(scope)
    cut_of_scope = cuts(scores, keep)
    figure = make_subplots(
        1, 2, column_widths=[0.7, 0.3],
        horizontal_spacing=theme.gap(row.layer for row in cut_of_scope[scope].shares),
        subplot_titles=["unit scores, sorted", "share that would move"],
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    lines = _spectra(scores)
    figure.add_traces(lines, 1, 1)
    for name in SCOPES:
        cut, bars = _cut_traces(cut_of_scope[name], scores, name)
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
    height = max(430, 18 * len(cut_of_scope[scope].shares) + 180)
    figure.update_layout(
        height=height, margin={"t": 28, "l": 70}, legend_visible=False,
        bargap=0.45, hovermode="closest",
    )  # fmt: skip
    if controls:
        _add_controls(figure, scores, keep, scope, len(lines))
    title = "Fisher spectra" + (f": {scores.info.task}" if scores.info.task else "")
    return theme.finish(
        figure,
        title,
        text.caption(scores, _points_per_curve(scores)),
        text.describe(scores, cut_of_scope[scope], scope),
    )


def show_keep(figure: go.Figure, scores: FisherScores, keep: float, scope: Scope) -> str:
    """Move the cut and the bars of a figure `fisher_spectra` drew to another keep share or scope.

    Args:
        figure: of these scores; changed in place, in one message if it is a FigureWidget.
        scores: that the figure was drawn from.
        keep: the new keep share, in (0, 1].
        scope: the new scope.

    Returns:
        The description of the figure as it is then.
    """
    scope = check_scope(scope)
    cut_of_scope = cuts(scores, keep)
    last = figure.data[-2 * len(SCOPES) :]
    with figure.batch_update():
        for name in SCOPES:
            for new in _cut_traces(cut_of_scope[name], scores, name):
                old = next(trace for trace in last if trace.meta == new.meta)
                old.update(new.to_plotly_json(), visible=name == scope)
    return text.describe(scores, cut_of_scope[scope], scope)


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
                trace.visible = module in (None, trace.meta["module"]) and layer in (
                    None,
                    trace.meta["layer"],
                )


def modules_of(scores: FisherScores) -> list[str]:
    """The names of the modules within layers, and of parameters outside layers."""
    return list(dict.fromkeys(split_name(name).module for name in scores.names))


# Traces


def _spectra(scores: FisherScores) -> list[go.Scatter]:
    """One curve per parameter, coloured by depth; scores of 0 end it, a log axis has no 0."""
    filled = {name: s for name, s in scores.units.items() if s.numel()}
    max_points = _points_per_curve(scores)
    layers = [n for name in filled if (n := split_name(name).layer) is not None]
    deepest = max(layers, default=0)
    traces = []
    for name, tensor in filled.items():
        location = split_name(name)
        ordered = np.sort(tensor.double().numpy())[::-1]
        positions, values = thin_sorted(ordered[ordered > 0], max_points)
        traces.append(
            go.Scatter(
                x=(positions + 1) / len(ordered),
                y=values,
                mode="lines+markers" if len(values) < 3 else "lines",
                name=f"{layer_name(location.layer)} · {location.module}",
                meta={"module": location.module, "layer": layer_name(location.layer)},
                line={
                    "color": theme.depth_colour(location.layer, deepest),
                    "width": 1.4,
                    "dash": "dash" if location.layer is None else "solid",
                },
                opacity=0.85,
                hovertemplate=(
                    f"<b>{location.module}</b><br>{layer_name(location.layer)}, "
                    f"{len(ordered):,} units<br>score %{{y:.3e}}<br>top %{{x:.1%}} of its units"
                    "<extra></extra>"
                ),
            )
        )
    return traces


def _points_per_curve(scores: FisherScores) -> int:
    """The most points one curve may have."""
    return max(MAX_POINTS // sum(1 for s in scores.units.values() if s.numel()), PER_STRETCH)


def _cut_traces(cut: Cut, scores: FisherScores, scope: Scope) -> tuple[go.Scatter, go.Bar]:
    """The threshold between moving and frozen units, and the bars of the layers' shares."""
    if scope == "parameter":
        x, y = [cut.keep, cut.keep], [10.0**e for e in _decades(scores)]
        hover = f"every parameter moves its top {theme.percent(cut.keep)}"
    else:
        x, y = [0, 1], [cut.lowest or None] * 2
        hover = f"units with a score from {cut.lowest:.3g} move"
    line = go.Scatter(
        x=x, y=y, mode="lines", name="threshold", meta={"part": f"cut-{scope}"},
        line={"color": theme.INK, "width": 2.5, "dash": "dash"},
        hovertemplate=f"{hover}<extra></extra>",
    )  # fmt: skip
    layers = [s.layer for s in cut.shares]
    numbers = [int(n.split()[1]) for n in layers if n != OUTSIDE]
    bars = go.Bar(
        x=[s.share for s in cut.shares],
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
        text=[theme.percent(s.share) for s in cut.shares],
        textposition="outside",
        cliponaxis=False,
        customdata=[[f"{s.moved:,}", f"{s.units:,}"] for s in cut.shares],
        hovertemplate="%{y}<br>%{customdata[0]} of %{customdata[1]} units move<extra></extra>",
    )
    return line, bars


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
        cut_of_scope = cuts(scores, share)
        traces = [t for name in SCOPES for t in _cut_traces(cut_of_scope[name], scores, name)]
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
    module_of_curve = [t.meta["module"] for t in figure.data[:lines]]
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
                [
                    {"visible": [chosen in (None, module) for module in module_of_curve]}
                    for chosen in (None, *modules)
                ],
                curves,
                150,
                0,
            ),
        ],
        margin_b=150,
        height=figure.layout.height + 94,
    )
    theme.raise_top(figure, theme.MENU_ROW)


def _menu(
    labels: Sequence[str], changes: Sequence[dict[str, Any]], traces: list[int], left: int,
    active: int,
) -> dict[str, Any]:  # fmt: skip
    buttons = [
        {"method": "restyle", "label": label, "args": [change, traces]}
        for label, change in zip(labels, changes, strict=True)
    ]
    pad = {**theme.MENU["pad"], "l": left}
    return {**theme.MENU, "active": active, "pad": pad, "buttons": buttons}
