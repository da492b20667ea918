"""Fisher spectra: how unequal the units' scores are, and which of them a keep share lets move."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.fisher.concentration import check_finite
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import check_scope
from fggm_lab.masks import SCOPES, Scope
from fggm_lab.masks.pairs import in_order
from fggm_lab.models.names import OUTSIDE, layer_name, split_name
from fggm_lab.plots import fisher_spectra_text as text
from fggm_lab.plots import theme
from fggm_lab.plots.layer_shares import cuts
from fggm_lab.plots.styles import depth_colour
from fggm_lab.plots.template import Numbers, Slot, Template, fill, filled, set_slots
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
        DataError: a score is negative or not finite.
    """
    template = fisher_spectra_template(scores)
    figure = fill(template, fisher_spectra_numbers(scores, keep, scope))
    if controls:
        _add_controls(figure, scores, template, keep, check_scope(scope))
    return figure


def fisher_spectra_template(scores: FisherScores) -> Template:
    """The figure of `fisher_spectra` without its cut and its bars.

    Args:
        scores: of one task.

    Returns:
        The template that `fisher_spectra_numbers` fills.

    Raises:
        DataError: a score is negative or not finite.
    """
    check_finite(scores.units.values())
    layers = _layers(scores)
    figure = make_subplots(
        1, 2, column_widths=[0.7, 0.3], horizontal_spacing=theme.gap(layers),
        subplot_titles=["unit scores, sorted", "share that would move"],
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    figure.add_traces(_spectra(scores), 1, 1)
    for name in SCOPES:
        cut, bars = _cut_traces(scores, list(layers), name)
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
    figure.update_layout(
        height=max(430, 18 * len(layers) + 180), margin={"t": 28, "l": 70},
        legend_visible=False, bargap=0.45, hovermode="closest",
    )  # fmt: skip
    return _template(figure, scores)


def _template(figure: go.Figure, scores: FisherScores) -> Template:
    """The template of a figure in which curves and empty cuts and bars are drawn."""
    layers = _layers(scores)
    first = len(figure.data) - 2 * len(SCOPES)
    slots = []
    for index, name in enumerate(SCOPES):
        cut, bars = first + 2 * index, first + 2 * index + 1
        slots += [
            Slot(("data", cut, *_CUT_SLOT[name]), (f"{name}_cut",)),
            Slot(("data", cut, "hovertemplate"), (f"{name}_hover",)),
            Slot(("data", bars, "x"), ("shares",), index),
            Slot(("data", bars, "text"), ("bar_texts",), index),
            Slot(("data", bars, "customdata"), ("moved", "units"), index),
            *(Slot(("data", trace, "visible"), ("visible",), index) for trace in (cut, bars)),
        ]
    settings = {
        "layers": list(layers),
        "units": [list(layers.values())] * len(SCOPES),
        **text.settings(scores, _points_per_curve(scores)),
    }
    return Template("fisher_spectra", settings, figure, tuple(slots), text.TEXTS)


_CUT_SLOT: dict[Scope, tuple[str]] = {"parameter": ("x",), "global": ("y",)}
"""The coordinate at which a scope's cut stands."""


def fisher_spectra_numbers(
    scores: FisherScores, keep: float = 0.3, scope: Scope = "parameter"
) -> Numbers:
    """What fills `fisher_spectra_template`.

    Args:
        scores: as `fisher_spectra` takes them.
        keep: as `fisher_spectra` takes it.
        scope: as `fisher_spectra` takes it.

    Returns:
        Where the cut stands under each scope, and lists over the scopes: what moves of each layer.

    Raises:
        SettingError: `keep` or `scope` is outside what it may be, or there are no units.
    """
    scope = check_scope(scope)
    of_scopes = cuts(scores, keep)
    shares = [[layer.share for layer in of_scopes[name].shares] for name in SCOPES]
    lowest = of_scopes["global"].lowest
    shown = scope == "global"
    return {
        "keep": keep,
        "scope": scope,
        "lowest": lowest,
        "parameter_cut": [keep, keep],
        "global_cut": [lowest or None] * 2,
        "visible": [name == scope for name in SCOPES],
        "shares": shares,
        "moved": [[layer.moved for layer in of_scopes[name].shares] for name in SCOPES],
        "marked_shares": shares[SCOPES.index(scope)],
        "no_unit_moves": "" if lowest is None else None,
        "in_parameters": None if shown else "",
        "above": (lowest or None) if shown else None,
        "tied": "" if shown and lowest == 0 else None,
        "no_unit": "" if shown and lowest is None else None,
    }


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
                    "color": depth_colour(location.layer, deepest),
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


def _layers(scores: FisherScores) -> dict[str, int]:
    """The name of each layer that has units → how many, what lies outside the layers last."""
    sizes = {name: units.numel() for name, units in scores.units.items() if units.numel()}
    return {
        layer_name(layer): sum(n for name, n in sizes.items() if split_name(name).layer == layer)
        for layer in in_order(split_name(name).layer for name in sizes)
    }


def _cut_traces(
    scores: FisherScores, layers: Sequence[str], scope: Scope
) -> tuple[go.Scatter, go.Bar]:
    """The line between moving and frozen units, and the bars of the layers, without numbers."""
    ends = {"y": [10.0**e for e in _decades(scores)]} if scope == "parameter" else {"x": [0, 1]}
    line = go.Scatter(
        **ends, mode="lines", name="threshold", meta={"part": f"cut-{scope}"},
        line={"color": theme.INK, "width": 2.5, "dash": "dash"},
    )  # fmt: skip
    numbers = [None if name == OUTSIDE else int(name.split()[1]) for name in layers]
    deepest = max((n for n in numbers if n is not None), default=0)
    bars = go.Bar(
        y=layers, orientation="h", name="share that would move", meta={"part": f"bars-{scope}"},
        marker={"color": [depth_colour(n, deepest) for n in numbers],
                "line": {"color": theme.INK, "width": 0.5}},
        textposition="outside", cliponaxis=False,
        hovertemplate="%{y}<br>%{customdata[0]:,} of %{customdata[1]:,} units move<extra></extra>",
    )  # fmt: skip
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
    figure: go.Figure, scores: FisherScores, template: Template, keep: float, scope: Scope
) -> None:
    shares = sorted({*KEEPS, keep})
    lines = len(figure.data) - 2 * len(SCOPES)
    drawn = list(range(lines, len(figure.data)))
    cuts_and_bars = go.Figure(figure.data[lines:])
    slots = [
        replace(slot, path=("data", int(slot.path[1]) - lines, *slot.path[2:]))
        for slot in template.slots
    ]
    steps = []
    for share in shares:
        values = filled(template, fisher_spectra_numbers(scores, share, scope))
        set_slots(cuts_and_bars, slots, values)
        changes: dict[str, list[Any]] = {
            key: [_plain(trace[key]) for trace in cuts_and_bars.data]
            for key in ("x", "y", "text", "customdata", "hovertemplate")
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


def _plain(values: Any) -> Any:
    """Arrays as lists: Plotly compares the arguments of a slider's steps."""
    if isinstance(values, np.ndarray):
        return values.tolist()
    return list(values) if isinstance(values, tuple) else values


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
