"""What a keep share does: how much of each layer, or module, moves as it grows from 0 to 1."""

import re
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.masks import Ranking, Scope
from fggm_lab.masks.keep import check_scope
from fggm_lab.plots import theme
from fggm_lab.plots.layer_shares import OUTSIDE
from fggm_lab.plots.parameter_groups import BY, Groups, by_layer, by_module, where_from
from fggm_lab.plots.thinning import POINTS

_ROWS = 100
"""The most lines."""
_STEPS = (100, 50, 25, 20, 10)
"""Into how many steps the keep shares from 0 to 1 are cut; fewer where there are many lines."""


class Kept(NamedTuple):
    """What every keep share keeps.

    Attributes:
        rows: names of layers or modules.
        units: (rows,) how many units each has.
        keeps: (keep shares,) ascending, 0 and 1 among them.
        shares: (keep shares, rows) the share of each row's units that moves.
        note: how rows were merged, for the caption.
    """

    rows: list[str]
    units: np.ndarray
    keeps: list[float]
    shares: np.ndarray
    note: str

    def at(self, keep: float) -> np.ndarray:
        """(rows,) the shares at one of the keep shares."""
        found: np.ndarray = self.shares[self.keeps.index(keep)]
        return found


def kept_shares(
    scores: FisherScores, by: str = "layer", scope: Scope = "global", keep: float = 0.3
) -> go.Figure:
    """The share of each layer, or module, that moves, against the keep share.

    Under scope `global` layers with high scores move first; under scope `parameter` all lines
    lie on the diagonal, but for rounding.

    Args:
        scores: of one task.
        by: `layer` or `module`.
        scope: `global` or `parameter`, as in `Mask.top`.
        keep: the keep share to mark, in (0, 1].

    Raises:
        SettingError: `by`, `scope` or `keep` is outside what it may be, or there are no units.
        DataError: a score is not a number.
    """
    scope = check_scope(scope)
    kept = kept_of(scores, by, scope, keep)
    figure = make_subplots(
        1, 2, column_widths=[0.66, 0.34], horizontal_spacing=0.18,
        subplot_titles=["every keep share", f"at a keep share of {theme.percent(keep)}"],
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="all alike (scope parameter)", hoverinfo="skip",
        line={"color": theme.INK, "dash": "dot", "width": 1.5}, row=1, col=1,
    )  # fmt: skip
    styles = _styles(kept.rows, by)
    for place, row in enumerate(kept.rows):
        figure.add_trace(_line(kept, place, styles[row]), 1, 1)
    figure.add_trace(_bars(kept, keep, styles), 1, 2)
    figure.add_vline(x=keep, line={"color": theme.INK, "dash": "dash", "width": 1.5}, row=1, col=1)
    figure.update_xaxes(title_text=f"keep share (share of {_of(scope)} that moves)", row=1, col=1)
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title_text=f"share of the {by}'s units that moves", tickformat=".0%",
                        range=[0, 1.01], row=1, col=1)  # fmt: skip
    figure.update_xaxes(title_text=f"share of the {by}'s units", range=[0, 1.28],
                        tickvals=[0, 0.5, 1], row=1, col=2)  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", dtick=1, row=1, col=2)
    figure.update_layout(
        height=max(430, 17 * len(kept.rows) + 130), margin={"t": 36, "b": 56, "l": 70, "r": 12},
        showlegend=False, bargap=0.35, hovermode="closest",
    )  # fmt: skip
    task = f": {scores.made.task}" if scores.made.task else ""
    return theme.finish(
        figure, f"What a keep share lets move, by {by}{task}", _caption(kept, by, scope),
        _describe(kept, by, scope, keep),
    )  # fmt: skip


def describe_kept_shares(
    scores: FisherScores, by: str = "layer", scope: Scope = "global", keep: float = 0.3
) -> str:
    """The figure in words: what moves most and least at the marked keep share.

    Args:
        scores, by, scope, keep: as for `kept_shares`.
    """
    scope = check_scope(scope)
    return _describe(kept_of(scores, by, scope, keep), by, scope, keep)


def kept_of(scores: FisherScores, by: str, scope: Scope, keep: float) -> Kept:
    """The numbers of `kept_shares`: units are sorted once, whatever the number of keep shares.

    Raises:
        SettingError: `by`, `scope` or `keep` is outside what it may be, or there are no units.
        DataError: a score is not a number.
    """
    if by not in BY:
        raise SettingError(f"by is '{by}'; choose one of: {', '.join(BY)}")
    names = [name for name, units in scores.units.items() if units.numel()]
    if not names:
        raise SettingError("the Fisher scores have no units to draw; score a model's parameters")
    groups: Groups = (by_layer if by == "layer" else by_module)(names, _ROWS)
    steps = next((n for n in _STEPS if (n + 2) * len(groups) + len(groups) + 2 <= POINTS), 10)
    keeps = sorted({keep, *(round(i / steps, 2) for i in range(1, steps + 1))})
    counts = Ranking(scores).kept(keeps, scope)
    column = {name: place for place, name in enumerate(scores.names)}
    moved = np.stack([counts[:, [column[n] for n in some]].sum(1) for some in groups.values()], 1)
    units = np.array([sum(scores.units[n].numel() for n in some) for some in groups.values()])
    shares = np.vstack([np.zeros(len(groups)), moved / units])
    return Kept(list(groups), units, [0.0, *keeps], shares, where_from(groups))


def _styles(rows: list[str], by: str) -> dict[str, theme.Style]:
    """Layers by their depth, modules by colour and dash."""
    if by == "module":
        return theme.line_styles(rows)
    first = [None if row == OUTSIDE else int(re.findall(r"\d+", row)[0]) for row in rows]
    deepest = max((n for n in first if n is not None), default=0)
    return {
        row: theme.Style(theme.depth_colour(n, deepest), "dash" if n is None else "solid", "circle")
        for row, n in zip(rows, first, strict=True)
    }


def _line(kept: Kept, place: int, style: theme.Style) -> go.Scatter:
    row, units = kept.rows[place], int(kept.units[place])
    return go.Scatter(
        x=kept.keeps, y=kept.shares[:, place], mode="lines", name=row, meta={"row": row},
        line={"color": style.colour, "dash": style.dash, "width": 1.6},
        hovertemplate=f"<b>{row}</b>, {units:,} units<br>keep share %{{x:.0%}}: %{{y:.1%}} move"
        "<extra></extra>",
    )  # fmt: skip


def _bars(kept: Kept, keep: float, styles: dict[str, theme.Style]) -> go.Bar:
    shares = kept.at(keep)
    moved = np.rint(shares * kept.units).astype(int)
    return go.Bar(
        x=shares, y=kept.rows, orientation="h", name=f"keep share {theme.percent(keep)}",
        meta={"part": "bars"}, textposition="outside", cliponaxis=False,
        marker={"color": [styles[row].colour for row in kept.rows],
                "line": {"color": theme.INK, "width": 0.5}},
        text=[theme.percent(share) for share in shares.tolist()],
        customdata=np.column_stack([moved, kept.units]),
        hovertemplate="%{y}<br>%{customdata[0]:,} of %{customdata[1]:,} units move<extra></extra>",
    )  # fmt: skip


def _of(scope: Scope) -> str:
    return "all units" if scope == "global" else "each parameter's units"


def _caption(kept: Kept, by: str, scope: Scope) -> str:
    if scope == "parameter":
        text = (
            "Scope parameter: every parameter moves its own top share, so all lines lie on the "
            "diagonal, but for rounding to whole units."
        )
    else:
        text = (
            f"Scope global: the highest scores of the whole model move, wherever they sit. A {by} "
            "above the dotted diagonal moves more than its part; under scope parameter all would "
            "lie on it."
        )
    colours = " Coloured by depth (dark: first layer)" if by == "layer" else ""
    if OUTSIDE in kept.rows:
        colours += f"; dashed: {OUTSIDE} (embeddings, the final norm and the head)"
    return text + (f"{colours}." if colours else "") + kept.note


def _describe(kept: Kept, by: str, scope: Scope, keep: float) -> str:
    order = np.argsort(-kept.at(keep), kind="stable")

    def say(place: int) -> str:
        return f"{kept.rows[place]} {theme.percent(float(kept.at(keep)[place]))}"

    text = (
        f"With a keep share of {theme.percent(keep)}, scope {scope}, what moves of each {by}: most "
        f"of {say(order[0])}, least of {say(order[-1])}"
    )
    every = ", ".join(say(place) for place in range(len(kept.rows)))
    return f"{text}. All: {every}."
