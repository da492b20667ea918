"""Which tokens each attention head looks at, before and after."""

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import DataError, SettingError
from fggm_lab.models.attention import AttentionPatterns
from fggm_lab.plots import theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.thinning import MAX_POINTS

_ROW = 18
"""Height of a row in pixels."""


def attention_maps(
    patterns: AttentionPatterns,
    after: AttentionPatterns | None = None,
    *,
    layer: int | None = None,
    head: int | None = None,
    names: tuple[str, str] = ("before", "after"),
) -> go.Figure:
    """Attention weights on one text, of one state of a model or of two side by side.

    Args:
        patterns: of a text, as `fggm_lab.models.attention_patterns` gives them.
        after: of the same text under another state of the model.
        layer: of one layer alone.
        head: of one head of that layer: from every token to every token.
        names: what to call the two states.

    Returns:
        The figure. Without `head` a row is a head, and shows what the last token attends to, which
        is where the answer begins.

    Raises:
        SettingError: there is no such layer or head, or there are more cells than a figure may
            hold.
        DataError: the two are of different texts or models.
    """
    states = {names[0]: patterns} if after is None else dict(zip(names, (patterns, after),
                                                                 strict=True))  # fmt: skip
    _check(states, layer, head)
    labels = [token.replace("\n", "⏎") for token in patterns.tokens]
    of_one_head = layer is not None and head is not None
    rows = labels if of_one_head else _head_names(patterns, layer)
    tables = {name: _table(state, layer, head) for name, state in states.items()}
    cells = sum(table.size for table in tables.values())
    if cells > MAX_POINTS:
        remedy = "shorten the text" if of_one_head else "choose a layer, or shorten the text"
        raise SettingError(
            f"{cells:,} attention weights are more than the {MAX_POINTS:,} that a figure holds; "
            f"{remedy}"
        )
    figure = make_subplots(
        1, len(tables), shared_yaxes=True, horizontal_spacing=0.04,
        subplot_titles=[f"<b>{name}</b>" for name in tables] if after is not None else None,
    )  # fmt: skip
    figure.update_annotations(font_size=theme.TEXT)
    for column, (name, table) in enumerate(tables.items(), start=1):
        figure.add_trace(_heatmap(table, labels, rows, name, of_one_head), 1, column)
    figure.update_xaxes(title_text="attended to", tickvals=list(range(len(labels))),
                        ticktext=[escape(label) for label in labels], showgrid=False, ticks="",
                        tickangle=-60)  # fmt: skip
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(rows))),
                        ticktext=[escape(row) for row in rows], showgrid=False,
                        ticks="")  # fmt: skip
    figure.update_yaxes(title_text="from" if of_one_head else "layer · head", row=1, col=1)
    highest = max(float(np.nanmax(table)) for table in tables.values())
    figure.update_layout(
        height=max(140, _ROW * len(rows)) + 150, margin={"t": 30, "b": 90, "l": 90},
        coloraxis={"colorscale": theme.CELLS, "cmin": 0, "cmax": highest or 1,
                   "colorbar": theme.colour_bar("attention weight")},
    )  # fmt: skip
    title = f"Attention of layer {layer}, head {head}" if of_one_head else "Attention by head"
    return finish(
        figure, title, _caption(labels, of_one_head), _describe(tables, labels, rows, of_one_head)
    )


def _check(states: dict[str, AttentionPatterns], layer: int | None, head: int | None) -> None:
    first, *others = states.values()
    if any(o.tokens != first.tokens or o.weights.shape != first.weights.shape for o in others):
        raise DataError(
            "the attention patterns are of different texts or models; compare those of one text "
            "under two states of one model"
        )
    heads = first.weights.shape[1]
    if layer is not None and layer not in first.layers:
        raise SettingError(
            f"there is no attention in layer {layer}, but in {', '.join(map(str, first.layers))}"
        )
    if head is not None and (layer is None or not 0 <= head < heads):
        raise SettingError(
            f"head is {head}; name its layer, too, and one of the heads 0 to {heads - 1}"
        )


def _head_names(patterns: AttentionPatterns, layer: int | None) -> list[str]:
    layers = patterns.layers if layer is None else (layer,)
    return [f"{name} · {head}" for name in layers for head in range(patterns.weights.shape[1])]


def _table(patterns: AttentionPatterns, layer: int | None, head: int | None) -> np.ndarray:
    """(rows, n): from every token of one head, or from the last token of every head."""
    weights = patterns.weights.double().numpy()
    if layer is not None:
        weights = weights[[patterns.layers.index(layer)]]
    if layer is not None and head is not None:
        table = weights[0, head].copy()
        table[np.triu_indices_from(table, 1)] = np.nan  # a token does not see later ones
        return table
    return weights[:, :, -1].reshape(-1, weights.shape[-1])


def _heatmap(
    table: np.ndarray, labels: Sequence[str], rows: Sequence[str], name: str, of_one_head: bool
) -> go.Heatmap:
    source = "from “{row}”" if of_one_head else "head {row}, from the last token"
    return go.Heatmap(
        x=list(range(table.shape[1])), y=list(range(table.shape[0])), z=table, name=name,
        coloraxis="coloraxis", hoverongaps=False,
        customdata=[[escape(f"{source.format(row=row)} to “{label}”") for label in labels]
                    for row in rows],
        hovertemplate=f"<b>{name}</b><br>%{{customdata}}: %{{z:.3f}}<extra></extra>",
    )  # fmt: skip


def _caption(labels: Sequence[str], of_one_head: bool) -> str:
    if of_one_head:
        return (
            "A row shows how one token shares out its attention over the tokens up to itself; the "
            "last row is where the answer begins."
        )
    return (
        f"A row shows how one head shares out the attention of the last token, “{labels[-1]}”, "
        "where the answer begins, over the prompt."
    )


def _describe(
    tables: dict[str, np.ndarray], labels: Sequence[str], rows: Sequence[str], of_one_head: bool
) -> str:
    sentences = []
    for name, table in tables.items():
        if of_one_head:
            top = np.argsort(-np.nan_to_num(table[-1]), kind="stable")[:3]
            tokens = ", ".join(f"{labels[k]!r} {table[-1, k]:.2f}" for k in top)
            sentences.append(f"{name.capitalize()}: the last token attends most to {tokens}")
        else:
            mean = table.mean(0)
            top = np.argsort(-mean, kind="stable")[:3]
            tokens = ", ".join(f"{labels[k]!r} {mean[k]:.2f}" for k in top)
            i, j = divmod(int(table.argmax()), table.shape[1])
            sentences.append(
                f"{name.capitalize()}: over {len(rows)} heads the last token attends on average "
                f"most to {tokens}; the strongest single weight is {table[i, j]:.2f}, of head "
                f"{rows[i]} to {labels[j]!r}"
            )
    if len(tables) == 2:
        first, second = tables.values()
        change = np.abs(np.nan_to_num(second) - np.nan_to_num(first)).sum(1)
        k = int(change.argmax())
        what = f"the row of {rows[k]!r}" if of_one_head else f"head {rows[k]}"
        sentences.append(f"Most changed {what}: {change[k] / 2:.2f} of its attention moved")
    return ". ".join(sentences) + "."
