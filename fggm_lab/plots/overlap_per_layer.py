"""Mask overlap along the model's depth: in which layers do the tasks' masks share units?"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask
from fggm_lab.masks.pairs import Counts, count, in_order
from fggm_lab.models.names import OUTSIDE, layer_name, split_name
from fggm_lab.plots import theme
from fggm_lab.plots.styles import BLUE, VERMILLION
from fggm_lab.plots.template import Numbers, Slot, Template, Text, fill


class LayerOverlap(NamedTuple):
    """The overlap of every two tasks' masks within one layer.

    Attributes:
        layer: `layer 0`, …, or `outside layers`.
        units: how many units the layer has.
        jaccard: the Jaccard index of each two tasks and both their names; of those that keep a
            unit.
        expected: the mean of the Jaccard indices that chance would give.
        z: the z-score of each two tasks; of those that chance could draw in several ways.
    """

    layer: str
    units: int
    jaccard: list[tuple[float, str, str]]
    expected: float | None
    z: list[float]


def overlap_per_layer(masks: Mapping[str, Mask]) -> go.Figure:
    """Mean and range, over every two tasks, of the Jaccard index and of z in each layer.

    Args:
        masks: task → its mask, at least two, all of one model.

    Returns:
        The figure: the Jaccard index of every layer, and below it z.

    Raises:
        SettingError: fewer than two masks, or masks of different models.
    """
    rows = layer_overlaps(masks)
    sizes = {row.layer: row.units for row in rows}
    return fill(_template(list(masks), sizes), _numbers(rows))


def overlap_per_layer_template(tasks: Sequence[str], units: Mapping[str, int]) -> Template:
    """The figure of `overlap_per_layer` without its numbers.

    Args:
        tasks: names, at least two.
        units: parameter's name → how many units it has.

    Returns:
        The template that `overlap_per_layer_numbers` fills.
    """
    sizes = {
        layer_name(layer): sum(n for name, n in units.items() if split_name(name).layer == layer)
        for layer in in_order(split_name(name).layer for name in units)
    }
    return _template(tasks, sizes)


def _template(tasks: Sequence[str], sizes: Mapping[str, int]) -> Template:
    """The template of layers, each with its number of units."""
    figure = make_subplots(2, 1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.6, 0.4])
    names = [layer.removeprefix("layer ").removesuffix(" layers") for layer in sizes]
    figure.add_trace(_mean_and_range(names, "measured: mean, lowest, highest"), 1, 1)
    figure.add_scatter(
        x=names, mode="markers", name="by chance, mean",
        marker={"color": VERMILLION, "symbol": "line-ew-open", "size": 16,
                "line": {"width": 2}},
        hovertemplate="by chance %{y:.3f}<extra></extra>", row=1, col=1,
    )  # fmt: skip
    z = _mean_and_range(names, "z: mean, lowest, highest")
    figure.add_trace(z.update(showlegend=False), 2, 1)
    figure.add_hline(y=0, row=2, col=1, line={"color": theme.INK, "dash": "dot", "width": 1})
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_xaxes(title_text="layer", row=2, col=1)
    figure.update_yaxes(title_text="Jaccard index", range=[0, 1.02], row=1, col=1)
    figure.update_yaxes(title_text="z (standard<br>deviations)", rangemode="tozero", row=2, col=1)
    figure.update_layout(height=440, margin={"l": 76})
    slots = [
        Slot(("data", index, *path), (name,))
        for index, prefix in ((0, ""), (2, "z_"))
        for path, name in (
            (("y",), f"{prefix}mean"),
            (("error_y", "array"), f"{prefix}above"),
            (("error_y", "arrayminus"), f"{prefix}below"),
            (("customdata",), "hover"),
        )
    ]
    slots.append(Slot(("data", 1, "y"), ("expected",)))
    settings = {
        "tasks": list(tasks),
        "layers": list(sizes),
        "layer_count": len(sizes),
        "units": list(sizes.values()),
        "task_count": len(tasks),
        "pair_count": len(tasks) * (len(tasks) - 1) // 2,
    }
    return Template("overlap_per_layer", settings, figure, tuple(slots), _texts(tasks, sizes))


def _texts(tasks: Sequence[str], layers: Iterable[str]) -> dict[str, Text]:
    dots = (
        "Dots are the mean over the {pair_count} pairs of {task_count} tasks, bars reach from the "
        "pair that shares least to the pair that shares most"
        if len(tasks) > 2
        else "Dots are the two tasks' masks"
    )
    outside = " “outside” are embeddings, the final norm and the head." if OUTSIDE in layers else ""
    by_chance = "({{{0}_expected:.2f}} by chance{{{0}_z_text}})"
    return {
        "hover": Text(
            "<b>{layers}</b>, {units:,} units[<br>nothing kept{empty}]"
            "[<br>mean Jaccard index {mean:.3f}, by chance {expected:.3f}"
            "<br>lowest {lowest:.3f}: {lowest_first} and {lowest_second}"
            "<br>highest {highest:.3f}: {highest_first} and {highest_second}]"
            "[<br>mean z {z_mean:+.1f} ({z_lowest:+.1f} to {z_highest:+.1f})]"
        ),
        "title": Text("Mask overlap along the depth"),
        "caption": Text(
            f"{dots}; dashes are the mean for masks drawn by chance that keep as many units of "
            "every parameter. Below, how many standard deviations of chance the shared units lie "
            "from its mean: larger layers give larger z for the same index."
            f"{outside}[ Blank, for no mask keeps a unit there: {{blank}} of {{layer_count}}.]"
        ),
        **{
            f"{part}_z_text": Text(f"[, mean z {{{part}_z:+.1f}}]")
            for part in ("most", "least", "outside")
        },
        "description": Text(
            "[Mask overlap along the depth: fewer than two masks keep a unit.{too_few}]"
            "[Mean Jaccard index along the depth: {enough}]"
            "[the masks meet most in {most_layer}, {most_mean:.2f} "
            + by_chance.format("most")
            + "][; least in {least_layer}, {least_mean:.2f} "
            + by_chance.format("least")
            + "][{separator}{outside_layer}, {outside_mean:.2f} "
            + by_chance.format("outside")
            + "][.{enough}]"
        ),
    }


def overlap_per_layer_numbers(masks: Mapping[str, Mask]) -> Numbers:
    """What fills `overlap_per_layer_template`.

    Args:
        masks: task → its mask, at least two, all of one model.

    Returns:
        Lists over the layers, and what the words say of some of them.

    Raises:
        SettingError: fewer than two masks, or masks of different models.
    """
    return _numbers(layer_overlaps(masks))


def _numbers(rows: Sequence[LayerOverlap]) -> Numbers:
    measured = [[value for value, _, _ in row.jaccard] for row in rows]
    lowest = [min(row.jaccard, key=_value, default=(None,) * 3) for row in rows]
    highest = [max(row.jaccard, key=_value, default=(None,) * 3) for row in rows]
    numbers: dict[str, Any] = {
        **_ranges("", measured),
        **_ranges("z_", [row.z for row in rows]),
        "expected": [row.expected for row in rows],
        "empty": [None if row.jaccard else "" for row in rows],
        "blank": sum(not row.jaccard for row in rows) or None,
    }
    for name, ends in (("lowest", lowest), ("highest", highest)):
        numbers[f"{name}_first"] = [first for _, first, _ in ends]
        numbers[f"{name}_second"] = [second for _, _, second in ends]
    means = numbers["mean"]
    full = [index for index, row in enumerate(rows) if row.jaccard]
    inside = [index for index in full if rows[index].layer != OUTSIDE]
    described = {
        "most": max(inside, key=means.__getitem__, default=None),
        "least": min(inside, key=means.__getitem__) if len(inside) > 1 else None,
        "outside": next((index for index in full if index not in inside), None),
    }
    for name, index in described.items():
        numbers[f"{name}_layer"] = None if index is None else rows[index].layer
        for key, column in (("mean", "mean"), ("expected", "expected"), ("z", "z_mean")):
            numbers[f"{name}_{key}"] = None if index is None else numbers[column][index]
    switches = {"too_few": None if full else "", "enough": "" if full else None}
    return {**numbers, **switches, "separator": "; " if inside else ""}


def _value(entry: tuple[float, str, str]) -> float:
    return entry[0]


def _ranges(prefix: str, values: Sequence[Sequence[float]]) -> dict[str, list[float | None]]:
    """Mean, lowest and highest of each layer's values, and how far the mean lies from them."""
    means = [fmean(of_layer) if of_layer else None for of_layer in values]
    pairs = list(zip(values, means, strict=True))
    return {
        f"{prefix}mean": means,
        f"{prefix}lowest": [min(of_layer, default=None) for of_layer in values],
        f"{prefix}highest": [max(of_layer, default=None) for of_layer in values],
        f"{prefix}above": [0 if mean is None else max(of_layer) - mean for of_layer, mean in pairs],
        f"{prefix}below": [0 if mean is None else mean - min(of_layer) for of_layer, mean in pairs],
    }


def layer_overlaps(masks: Mapping[str, Mask]) -> list[LayerOverlap]:
    """The numbers of `overlap_per_layer`.

    Args:
        masks: task → its mask, at least two, all of one model.

    Returns:
        A row per layer, in the model's order, what lies outside the layers last.

    Raises:
        SettingError: fewer than two masks, or masks of different models.
    """
    if len(masks) < 2:
        raise SettingError("overlap needs the masks of two tasks or more")
    counts = count(list(masks.values()))
    return [_row(layer_name(n), counts.of_layer(n), list(masks)) for n in counts.layers]


def _row(layer: str, counts: Counts, names: list[str]) -> LayerOverlap:
    pairs = {(names[i], names[j]): counts.pair(i, j) for i, j in combinations(range(len(names)), 2)}
    expected = [v for pair in pairs.values() if (v := pair.expected_jaccard) is not None]
    return LayerOverlap(
        layer,
        int(counts.units.sum()),
        [(v, *tasks) for tasks, pair in pairs.items() if (v := pair.jaccard) is not None],
        fmean(expected) if expected else None,
        [v for pair in pairs.values() if (v := pair.z) is not None],
    )


def _mean_and_range(names: list[str], name: str) -> go.Scatter:
    """Means as dots, from the lowest to the highest value as bars."""
    return go.Scatter(
        x=names, mode="markers", name=name, error_y={"thickness": 1.2, "width": 3},
        marker={"color": BLUE, "symbol": "circle", "size": 9},
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
