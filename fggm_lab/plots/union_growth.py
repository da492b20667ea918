"""The share of the model that tasks have used so far: the union of their masks."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from fggm_lab.errors import SettingError
from fggm_lab.masks import Mask, usage
from fggm_lab.plots.styles import BLUE, SKY, VERMILLION
from fggm_lab.plots.template import Numbers, Slot, Template, Text, fill


def union_growth(masks: Mapping[str, Mask]) -> go.Figure:
    """The share of units that any task has used so far, and the fresh ones of each, beside chance.

    Args:
        masks: task → its mask, in the order the tasks are learned, at least one.

    Returns:
        The figure: a bar of fresh units per task, lines of the units used so far.

    Raises:
        SettingError: there is no mask, or they are over no units or of different models.
    """
    return fill(union_growth_template(list(masks)), union_growth_numbers(masks))


def union_growth_template(tasks: Sequence[str], layer: int | None = None) -> Template:
    """The figure of `union_growth` without its numbers.

    Args:
        tasks: names, in the order the tasks are learned.
        layer: for a page that counts the units of one layer alone: its number, or
            `mask_overlap.OUTSIDE_LAYERS`.

    Returns:
        The template that `union_growth_numbers` fills.
    """
    figure = go.Figure()
    figure.add_bar(
        x=list(tasks), name="fresh units of the task", marker={"color": SKY, "opacity": 0.6},
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=list(tasks), mode="lines+markers", name="used by any task so far",
        line={"color": BLUE, "width": 2.2}, marker={"symbol": "circle", "size": 9},
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=list(tasks), mode="lines+markers", name="the same by chance",
        hovertemplate="%{customdata}<extra></extra>",
        line={"color": VERMILLION, "dash": "dot"},
        marker={"symbol": "diamond-open", "size": 8},
    )  # fmt: skip
    figure.update_xaxes(
        title_text="task, in the order they are learned", type="category", showgrid=False,
        autotickangles=[0, 90],
    )  # fmt: skip
    figure.update_yaxes(title_text="share of all units", tickformat=".0%", range=[0, 1.02])
    figure.update_layout(height=370, margin={"l": 76}, bargap=0.45)
    slots = [
        Slot(("data", index, key), (name,))
        for index, y in enumerate(("fresh_share", "used_share", "expected_share"))
        for key, name in (("y", y), ("customdata", "hover"))
    ]
    settings = {"tasks": list(tasks), "layer": layer, "task_count": len(tasks)}
    return Template("union_growth", settings, figure, tuple(slots), _TEXTS)


_TEXTS = {
    "hover": Text(
        "<b>{tasks}</b> keeps {kept:,} units, {fresh:,} of them fresh "
        "(by chance {expected_fresh:,.0f})<br>used so far {used:,} ({used_share:.1%})"
        "<br>by chance {expected_used:,.0f} ({expected_share:.1%}), "
        "standard deviation {sd:,.1f} units"
    ),
    "title": Text("How much of the model is used up"),
    "caption": Text(
        "How much of {total:,} units the tasks' masks have let move by then. A line "
        "below chance says that later tasks take up units again that earlier ones used; "
        "bars are the units that no earlier task had used."
    ),
    "description": Text(
        "The mask of {first_task} lets {first_share:percent} of the units move."
        "[ After {task_count} tasks {last_share:percent} have been used, "
        "{last_expected_share:percent} by chance. Of what {last_task} keeps, "
        "{last_fresh:percent} is fresh.]"
    ),
}


def union_growth_numbers(masks: Mapping[str, Mask]) -> Numbers:
    """What fills `union_growth_template`.

    Args:
        masks: task → its mask, in the order the tasks are learned, at least one.

    Returns:
        Lists over the tasks, and what the words say of the first and, of several, the last.

    Raises:
        SettingError: there is no mask, or they are over no units or of different models.
    """
    rows = usage(masks)
    total = next(iter(masks.values())).unit_count
    if not total:
        raise SettingError("the masks are over no units; make them from a model's scores")
    first, last, several = rows[0], rows[-1], len(rows) > 1
    columns = ("kept", "fresh", "used", "expected_fresh", "expected_used", "sd")
    return {
        **{name: [row[name] for row in rows] for name in columns},
        "total": total,
        "fresh_share": [row["fresh"] / total for row in rows],
        "used_share": [row["used"] / total for row in rows],
        "expected_share": [row["expected_used"] / total for row in rows],
        "first_task": first["task"],
        "first_share": first["used"] / total,
        "last_task": last["task"],
        "last_share": last["used"] / total if several else None,
        "last_expected_share": last["expected_used"] / total,
        "last_fresh": last["fresh"] / last["kept"] if last["kept"] else 0.0,
    }
