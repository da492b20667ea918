"""The share of each layer, or module, that moves as the keep share grows from 0 to 1."""

import re
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.fisher.scores import FisherScores
from fggm_lab.mask_settings import check_scope
from fggm_lab.masks import Ranking, Scope
from fggm_lab.models.names import OUTSIDE, names_by_layer
from fggm_lab.plots import theme
from fggm_lab.plots.parameter_groups import (
    GROUPINGS,
    Grouping,
    Groups,
    by_module,
    merging_note,
)
from fggm_lab.plots.thinning import MAX_POINTS

_ROWS = 100
"""The most lines."""
_STEPS = (100, 50, 25, 20, 10)
"""Into how many steps the keep shares from 0 to 1 are cut; fewer where there are many lines."""


class SharesByKeep(NamedTuple):
    """The share of every layer or module that moves, for every keep share.

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
        shares: np.ndarray = self.shares[self.keeps.index(keep)]
        return shares


def kept_shares(
    scores: FisherScores, by: Grouping = "layer", scope: Scope = "global", keep: float = 0.3
) -> go.Figure:
    """The share of each layer, or module, that moves, against the keep share.

    Under scope `global` layers with high scores move first; under scope `parameter` all lines
    lie on the diagonal, but for rounding.

    Args:
        scores: of one task.
        by: `layer` or `module`.
        scope: `global` or `parameter`: the top share of the whole model, or of each parameter.
        keep: the keep share to mark, in (0, 1].

    Returns:
        The figure: a line per layer or module, and beside them bars at the marked keep share.

    Raises:
        SettingError: `by`, `scope` or `keep` is outside what it may be, or there are no units.
        DataError: a score is not a number.
    """
    scope = check_scope(scope)
    shares = shares_by_keep(scores, by, scope, keep)
    figure = make_subplots(
        1, 2, column_widths=[0.66, 0.34], horizontal_spacing=theme.gap(shares.rows),
        subplot_titles=["every keep share", f"keep share {theme.percent(keep)}"],
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="all alike (scope parameter)", hoverinfo="skip",
        line={"color": theme.INK, "dash": "dot", "width": 1.5}, row=1, col=1,
    )  # fmt: skip
    styles = _styles(shares.rows, by)
    for column, row in enumerate(shares.rows):
        figure.add_trace(_line(shares, column, styles[row]), 1, 1)
    figure.add_trace(_bars(shares, keep, styles), 1, 2)
    figure.add_vline(x=keep, line={"color": theme.INK, "dash": "dash", "width": 1.5}, row=1, col=1)
    figure.update_xaxes(
        title_text=f"keep share (share of {_scope_units(scope)} that moves)", row=1, col=1
    )
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title_text=f"share of the {by}'s units that moves", tickformat=".0%",
                        range=[0, 1.01], row=1, col=1)  # fmt: skip
    figure.update_xaxes(title_text=f"share of the {by}'s units", range=[0, 1.28],
                        tickvals=[0, 0.5, 1], row=1, col=2)  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", dtick=1, row=1, col=2)
    figure.update_layout(
        height=max(430, 17 * len(shares.rows) + 130), margin={"t": 28, "l": 70},
        showlegend=False, bargap=0.35, hovermode="closest",
    )  # fmt: skip
    task = f": {scores.info.task}" if scores.info.task else ""
    return theme.finish(
        figure, f"What a keep share lets move, by {by}{task}", _caption(shares, by, scope),
        _describe(shares, by, scope, keep),
    )  # fmt: skip


def shares_by_keep(scores: FisherScores, by: Grouping, scope: Scope, keep: float) -> SharesByKeep:
    """The numbers of `kept_shares`: units are sorted once, whatever the number of keep shares.

    Args:
        scores: of one task.
        by: `layer` or `module`.
        scope: `global` or `parameter`.
        keep: a keep share that must be among those computed, in (0, 1].

    Returns:
        The shares of at most 100 rows, at steps of 1 % of the keep share, or coarser where there
        are many rows.

    Raises:
        SettingError: `by`, `scope` or `keep` is outside what it may be, or there are no units.
        DataError: a score is not a number.
    """
    if by not in GROUPINGS:
        raise SettingError(f"by is '{by}'; choose one of: {', '.join(GROUPINGS)}")
    names = [name for name, units in scores.units.items() if units.numel()]
    if not names:
        raise SettingError("the Fisher scores have no units to draw; score a model's parameters")
    groups: Groups = (names_by_layer if by == "layer" else by_module)(names, _ROWS)
    steps = next((n for n in _STEPS if (n + 2) * len(groups) + len(groups) + 2 <= MAX_POINTS), 10)
    keeps = sorted({keep, *(round(i / steps, 2) for i in range(1, steps + 1))})
    counts = Ranking(scores).kept(keeps, scope)
    column = {name: index for index, name in enumerate(scores.names)}
    moved = np.stack([counts[:, [column[n] for n in group]].sum(1) for group in groups.values()], 1)
    units = np.array([sum(scores.units[n].numel() for n in group) for group in groups.values()])
    shares = np.vstack([np.zeros(len(groups)), moved / units])
    return SharesByKeep(list(groups), units, [0.0, *keeps], shares, merging_note(groups))


def _styles(rows: list[str], by: Grouping) -> dict[str, theme.Style]:
    """Layers by their depth, modules by colour and dash."""
    if by == "module":
        return theme.line_styles(rows)
    first = [None if row == OUTSIDE else int(re.findall(r"\d+", row)[0]) for row in rows]
    deepest = max((n for n in first if n is not None), default=0)
    return {
        row: theme.Style(theme.depth_colour(n, deepest), "dash" if n is None else "solid", "circle")
        for row, n in zip(rows, first, strict=True)
    }


def _line(shares: SharesByKeep, column: int, style: theme.Style) -> go.Scatter:
    row, units = shares.rows[column], int(shares.units[column])
    return go.Scatter(
        x=shares.keeps, y=shares.shares[:, column], mode="lines", name=row, meta={"row": row},
        line={"color": style.colour, "dash": style.dash, "width": 1.6},
        hovertemplate=f"<b>{row}</b>, {units:,} units<br>keep share %{{x:.0%}}: %{{y:.1%}} move"
        "<extra></extra>",
    )  # fmt: skip


def _bars(by_keep: SharesByKeep, keep: float, styles: dict[str, theme.Style]) -> go.Bar:
    shares = by_keep.at(keep)
    moved = np.rint(shares * by_keep.units).astype(int)
    return go.Bar(
        x=shares, y=by_keep.rows, orientation="h", name=f"keep share {theme.percent(keep)}",
        meta={"part": "bars"}, textposition="outside", cliponaxis=False,
        marker={"color": [styles[row].colour for row in by_keep.rows],
                "line": {"color": theme.INK, "width": 0.5}},
        text=[theme.percent(share) for share in shares.tolist()],
        customdata=np.column_stack([moved, by_keep.units]),
        hovertemplate="%{y}<br>%{customdata[0]:,} of %{customdata[1]:,} units move<extra></extra>",
    )  # fmt: skip


def _scope_units(scope: Scope) -> str:
    return "all units" if scope == "global" else "each parameter's units"


def _caption(shares: SharesByKeep, by: Grouping, scope: Scope) -> str:
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
    colours = " Coloured by depth (violet: first layer, olive: last)" if by == "layer" else ""
    if OUTSIDE in shares.rows:
        colours += f"; dashed: {OUTSIDE} (embeddings, the final norm and the head)"
    return text + (f"{colours}." if colours else "") + shares.note


def _describe(shares: SharesByKeep, by: Grouping, scope: Scope, keep: float) -> str:
    order = np.argsort(-shares.at(keep), kind="stable")

    def share_text(column: int) -> str:
        return f"{shares.rows[column]} {theme.percent(float(shares.at(keep)[column]))}"

    text = (
        f"With a keep share of {theme.percent(keep)}, scope {scope}, what moves of each {by}: most "
        f"of {share_text(order[0])}, least of {share_text(order[-1])}"
    )
    every = ", ".join(share_text(column) for column in range(len(shares.rows)))
    return f"{text}. All: {every}."
