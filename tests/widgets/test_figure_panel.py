"""A panel changes its figure in place, leaves a reader's zoom alone, and survives a reload."""

from typing import Any

import plotly.graph_objects as go

from fggm_lab.plots.finish import finish
from fggm_lab.sentences import sentence_html
from fggm_lab.widgets.figure_panel import FigurePanel


def drawing(height: float, **layout: Any) -> go.Figure:
    figure = go.Figure([go.Scatter(x=[0, 1], y=[0, height]), go.Bar(x=["a"], y=[height])])
    figure.update_layout(**layout)
    return finish(figure, "t", f"caption {height}", f"words {height}")


def test_a_figure_of_the_same_shape_is_changed_in_place() -> None:
    panel = FigurePanel()
    panel.show(drawing(1))
    shown = panel.figure
    assert shown is not None
    panel.show(drawing(3))
    assert panel.figure is shown
    assert list(shown.data[0].y) == [0, 3] and list(shown.data[1].y) == [3]
    assert "caption 3" in panel.text and "words 3" in panel.text


def test_what_the_reader_did_stays_where_nothing_differs() -> None:
    panel = FigurePanel()
    panel.show(drawing(1))
    assert panel.figure is not None
    panel.figure.layout.xaxis.range = [0.2, 0.4]
    panel.figure.data[1].visible = "legendonly"
    panel.show(drawing(3))
    assert list(panel.figure.layout.xaxis.range) == [0.2, 0.4]
    assert panel.figure.data[1].visible == "legendonly"
    panel.show(drawing(3, xaxis_range=[0, 2]))
    assert list(panel.figure.layout.xaxis.range) == [0, 2]


def test_settings_come_and_go_with_the_drawing() -> None:
    panel = FigurePanel()
    panel.show(drawing(1, yaxis_type="log"))
    panel.show(drawing(1))
    assert panel.figure is not None and panel.figure.layout.yaxis.type is None


def test_another_shape_takes_the_old_ones_place_and_ends_it() -> None:
    panel = FigurePanel()
    panel.show(drawing(1))
    old = panel.figure
    assert old is not None
    panel.show(finish(go.Figure(go.Scatter(y=[1])), "t", "c", "d"))
    assert panel.figure is not old and old.comm is None
    panel.show_message("nothing to draw")
    assert panel.figure is None and "Nothing to draw." in panel.text


def test_a_reloaded_page_is_told_the_figure_as_it_is_now() -> None:
    panel = FigurePanel()
    panel.show(drawing(1))
    panel.show(drawing(7))
    assert panel.figure is not None
    state = panel.figure.get_state()
    assert list(state["_widget_data"][0]["y"]) == [0, 7]
    assert state["_widget_layout"]["meta"]["caption"] == "caption 7"


def test_a_sentence_is_one_and_cannot_hold_markup() -> None:
    assert sentence_html("a <b> is missing") == "<p role='status'>A &lt;b&gt; is missing.</p>"
