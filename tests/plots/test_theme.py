"""Figures look alike, tell lines apart without colour, and carry their texts."""

import plotly.graph_objects as go
import pytest

from fggm_lab.plots import caption_of, description_of
from fggm_lab.plots.theme import bare, finish, method_styles, padded, percent, task_styles
from tests.support.records import TASKS


def test_methods_keep_their_style_and_variants_differ() -> None:
    styles = method_styles(["sft", "fggm", "fggm (keep=0.1)", "ewc", "lwf"])
    assert styles["fggm"] == method_styles(["fggm", "random"])["fggm"]
    assert len(set(styles.values())) == 5


def test_many_runs_still_differ() -> None:
    labels = [f"fggm (seed {n})" for n in range(24)]
    assert len(set(method_styles(labels).values())) == 24


def test_tasks_differ_without_colour() -> None:
    styles = task_styles(TASKS)
    assert len({style.symbol for style in styles.values()}) == len(TASKS)
    assert len({style.colour for style in styles.values()}) == len(TASKS)


def test_a_bare_figure_keeps_the_size_of_its_panels() -> None:
    figure = go.Figure(layout={"height": 400, "margin": {"t": 50}})
    full = finish(figure, "Title", "words " * 60, "said")
    plain = bare(full)
    assert plain.layout.title.text is None
    assert (plain.layout.height, plain.layout.margin.t) == (400, 50)
    assert caption_of(plain).startswith("words") and description_of(plain) == "said"
    assert full.layout.title.text == "<b>Title</b>"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.3, "30 %"), (0.0625, "6.2 %"), (1e-6, "<0.1 %"), (0.99999, ">99.9 %")],
)
def test_shares_read_as_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_axes_leave_room_and_do_not_magnify_what_is_no_difference() -> None:
    assert padded([0.0, 1.0]) == pytest.approx([-0.08, 1.08])
    assert padded([0.5, 0.5]) == pytest.approx([0.49, 0.51])


def test_methods_without_a_style_of_their_own_differ_in_shape_as_well_as_colour() -> None:
    names = ["mofo", "ewc", "l2", "lwf", "replay", "lora", "protect", "joint"]
    styles = method_styles(["fggm", *names])
    assert len(set(styles.values())) == 9
    assert len({styles[name].symbol for name in names}) == 8
    labels = [f"method {number}" for number in range(40)]
    assert len(set(method_styles(labels).values())) == 40
