"""Texts are readable, axes have room, and a figure carries its title, caption and description."""

import plotly.graph_objects as go
import pytest

from fggm_lab.plots import caption_of, description_of
from fggm_lab.plots.finish import finish
from fggm_lab.plots.theme import INK, PAGE_STYLE, axis_range, bare, percent
from tests.support.colours import contrast, rgb


def test_text_without_the_pages_own_colour_is_readable_on_white() -> None:
    assert contrast(rgb(INK), rgb("#ffffff")) >= 4.5
    assert f"rgb{tuple(map(int, rgb(INK)))}" in PAGE_STYLE


def test_a_bare_figure_keeps_the_size_of_its_panels_below_a_row_for_the_mode_bar() -> None:
    figure = go.Figure(layout={"height": 400, "margin": {"t": 50}})
    full = finish(figure, "Title", "words " * 60, "said")
    plain = bare(full)
    assert plain.layout.title.text is None
    assert (plain.layout.height, plain.layout.margin.t) == (428, 78)
    assert caption_of(plain).startswith("words") and description_of(plain) == "said"
    assert full.layout.title.text == "<b>Title</b>"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.3, "30 %"), (0.0625, "6.2 %"), (1e-6, "<0.1 %"), (0.99999, ">99.9 %")],
)
def test_shares_read_as_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_axes_leave_room_and_do_not_magnify_what_is_no_difference() -> None:
    assert axis_range([0.0, 1.0]) == pytest.approx([-0.08, 1.08])
    assert axis_range([0.5, 0.5]) == pytest.approx([0.49, 0.51])
