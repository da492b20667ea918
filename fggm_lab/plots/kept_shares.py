"""The share of each layer, or module, that moves as the keep share grows from 0 to 1."""

import re
from collections.abc import Mapping
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
from fggm_lab.plots.styles import Style, depth_colour, line_styles
from fggm_lab.plots.template import Numbers, Slot, Template, Text, fill
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
    """

    rows: list[str]
    units: np.ndarray
    keeps: list[float]
    shares: np.ndarray

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
    units = {name: scores_of.numel() for name, scores_of in scores.units.items()}
    numbers = kept_shares_numbers(scores, by, scope, keep)
    return fill(kept_shares_template(units, by), numbers)


def kept_shares_template(units: Mapping[str, int], by: Grouping = "layer") -> Template:
    """The figure of `kept_shares` without its numbers.

    Args:
        units: parameter's name → how many units it has.
        by: `layer` or `module`.

    Returns:
        The template that `kept_shares_numbers` fills.

    Raises:
        SettingError: `by` is outside what it may be, or there are no units.
    """
    groups = _groups(units, by)
    rows = list(groups)
    sizes = [sum(units[name] for name in names) for names in groups.values()]
    figure = make_subplots(
        1, 2, column_widths=[0.66, 0.34], horizontal_spacing=theme.gap(rows),
        subplot_titles=["every keep share", "at the keep share"],
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="all alike (scope parameter)", hoverinfo="skip",
        line={"color": theme.INK, "dash": "dot", "width": 1.5}, row=1, col=1,
    )  # fmt: skip
    styles = _styles(rows, by)
    lines = [_line(row, size, styles[row]) for row, size in zip(rows, sizes, strict=True)]
    figure.add_traces(lines, 1, 1)
    figure.add_trace(_bars(rows, styles), 1, 2)
    figure.add_vline(x=0, line={"color": theme.INK, "dash": "dash", "width": 1.5}, row=1, col=1)
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title_text=f"share of the {by}'s units that moves", tickformat=".0%",
                        range=[0, 1.01], row=1, col=1)  # fmt: skip
    figure.update_xaxes(title_text=f"share of the {by}'s units", range=[0, 1.28],
                        tickvals=[0, 0.5, 1], row=1, col=2)  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", dtick=1, row=1, col=2)
    figure.update_layout(
        height=max(430, 17 * len(rows) + 130), margin={"t": 28, "l": 70},
        showlegend=False, bargap=0.35, hovermode="closest",
    )  # fmt: skip
    slots = [Slot(("data", 1 + index, "x"), ("keeps",)) for index in range(len(rows))]
    slots += [Slot(("data", 1 + index, "y"), ("shares",), index) for index in range(len(rows))]
    bars = len(rows) + 1
    slots += [
        Slot(("data", bars, "x"), ("marked_shares",)),
        Slot(("data", bars, "text"), ("bar_texts",)),
        Slot(("data", bars, "customdata"), ("moved", "units")),
        Slot(("data", bars, "name"), ("bar_name",)),
        Slot(("layout", "annotations", 1, "text"), ("bar_name",)),
        Slot(("layout", "shapes", 0, "x0"), ("keep",)),
        Slot(("layout", "shapes", 0, "x1"), ("keep",)),
        Slot(("layout", "xaxis", "title", "text"), ("keep_title",)),
    ]
    settings = {
        "by": by,
        "rows": rows,
        "groups": list(groups.values()),
        "units": sizes,
        "steps": _steps(len(rows)),
    }
    return Template("kept_shares", settings, figure, tuple(slots), _texts(groups, by))


def _texts(groups: Groups, by: Grouping) -> dict[str, Text]:
    colours = " Coloured by depth (violet: first layer, olive: last)" if by == "layer" else ""
    if OUTSIDE in groups:
        colours += f"; dashed: {OUTSIDE} (embeddings, the final norm and the head)"
    return {
        "bar_texts": Text("{marked_shares:percent}"),
        "bar_name": Text("keep share {keep:percent}"),
        "keep_title": Text(
            "keep share (share of [all units{global_scope}]"
            "[each parameter's units{parameter_scope}] that moves)"
        ),
        "title": Text("What a keep share lets move, by {by}[: {task}]"),
        "caption": Text(
            "[Scope parameter: every parameter moves its own top share, so all lines lie on the "
            "diagonal, but for rounding to whole units.{parameter_scope}]"
            "[Scope global: the highest scores of the whole model move, wherever they sit. A {by} "
            "above the dotted diagonal moves more than its part; under scope parameter all would "
            "lie on it.{global_scope}]" + (f"{colours}." if colours else "") + merging_note(groups)
        ),
        "every_row": Text("{rows} {marked_shares:percent}", join=", "),
        "description": Text(
            "With a keep share of {keep:percent}, scope {scope}, what moves of each {by}: most of "
            "{most_row} {most_share:percent}, least of {least_row} {least_share:percent}. "
            "All: {every_row}."
        ),
    }


def kept_shares_numbers(
    scores: FisherScores, by: Grouping = "layer", scope: Scope = "global", keep: float = 0.3
) -> Numbers:
    """What fills `kept_shares_template`.

    Args:
        scores: as `kept_shares` takes them.
        by: as `kept_shares` takes it.
        scope: as `kept_shares` takes it.
        keep: as `kept_shares` takes it.

    Returns:
        The shares of every row at every keep share and at the marked one, and what the words say.

    Raises:
        SettingError: `by`, `scope` or `keep` is outside what it may be, or there are no units.
        DataError: a score is not a number.
    """
    scope = check_scope(scope)
    by_keep = shares_by_keep(scores, by, scope, keep)
    marked = by_keep.at(keep)
    descending = np.argsort(-marked, kind="stable")
    most, least = descending[0], descending[-1]
    return {
        "keep": keep,
        "scope": scope,
        "parameter_scope": "" if scope == "parameter" else None,
        "global_scope": "" if scope == "global" else None,
        "task": scores.info.task,
        "keeps": by_keep.keeps,
        "shares": by_keep.shares.T,
        "marked_shares": marked,
        "moved": np.rint(marked * by_keep.units).astype(int),
        "most_row": by_keep.rows[most],
        "most_share": float(marked[most]),
        "least_row": by_keep.rows[least],
        "least_share": float(marked[least]),
    }


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
    groups = _groups({name: units.numel() for name, units in scores.units.items()}, by)
    steps = _steps(len(groups))
    keeps = sorted({keep, *(round(i / steps, 2) for i in range(1, steps + 1))})
    counts = Ranking(scores).kept_counts(keeps, scope)
    column = {name: index for index, name in enumerate(scores.names)}
    moved = np.stack([counts[:, [column[n] for n in group]].sum(1) for group in groups.values()], 1)
    units = np.array([sum(scores.units[n].numel() for n in group) for group in groups.values()])
    shares = np.vstack([np.zeros(len(groups)), moved / units])
    return SharesByKeep(list(groups), units, [0.0, *keeps], shares)


def _groups(units: Mapping[str, int], by: Grouping) -> Groups:
    """The rows: layers, or modules over all layers."""
    if by not in GROUPINGS:
        raise SettingError(f"by is '{by}'; choose one of: {', '.join(GROUPINGS)}")
    names = [name for name, count in units.items() if count]
    if not names:
        raise SettingError("the Fisher scores have no units to draw; score a model's parameters")
    return (names_by_layer if by == "layer" else by_module)(names, _ROWS)


def _steps(rows: int) -> int:
    """Into how many steps the keep shares from 0 to 1 are cut: fewer where there are many rows."""
    return next((n for n in _STEPS if (n + 2) * rows + rows + 2 <= MAX_POINTS), 10)


def _styles(rows: list[str], by: Grouping) -> dict[str, Style]:
    """Layers by their depth, modules by colour and dash."""
    if by == "module":
        return line_styles(rows)
    first = [None if row == OUTSIDE else int(re.findall(r"\d+", row)[0]) for row in rows]
    deepest = max((n for n in first if n is not None), default=0)
    return {
        row: Style(depth_colour(n, deepest), "dash" if n is None else "solid", "circle")
        for row, n in zip(rows, first, strict=True)
    }


def _line(row: str, units: int, style: Style) -> go.Scatter:
    return go.Scatter(
        mode="lines", name=row, meta={"row": row},
        line={"color": style.colour, "dash": style.dash, "width": 1.6},
        hovertemplate=f"<b>{row}</b>, {units:,} units<br>keep share %{{x:.0%}}: %{{y:.1%}} move"
        "<extra></extra>",
    )  # fmt: skip


def _bars(rows: list[str], styles: dict[str, Style]) -> go.Bar:
    return go.Bar(
        y=rows, orientation="h", meta={"part": "bars"}, textposition="outside", cliponaxis=False,
        marker={"color": [styles[row].colour for row in rows],
                "line": {"color": theme.INK, "width": 0.5}},
        hovertemplate="%{y}<br>%{customdata[0]:,} of %{customdata[1]:,} units move<extra></extra>",
    )  # fmt: skip
