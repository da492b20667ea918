"""A text names values, leaves out what has none, and becomes a list where values are lists."""

import plotly.graph_objects as go
import pytest

from fggm_lab.plots import caption_of, description_of
from fggm_lab.plots.template import Slot, Template, Text, fill, format_text


def test_a_part_in_brackets_is_left_out_where_it_has_no_value() -> None:
    text = "measured {measured:.2f}[<br>z = {z:+.1f}][ (nothing kept{empty})]"
    assert format_text(text, {"measured": 0.5, "z": 2, "empty": None}) == (
        "measured 0.50<br>z = +2.0"
    )
    assert format_text(text, {"measured": 0, "z": None, "empty": ""}) == (
        "measured 0.00 (nothing kept)"
    )


def test_lists_give_lists_of_texts_and_single_values_are_the_same_for_all() -> None:
    assert format_text("{task} {share:percent}", {"task": ["a", "b"], "share": 0.3}) == [
        "a 30 %", "b 30 %",
    ]  # fmt: skip
    assert format_text("[{x:cell}]", {"x": [[0.5, None], [1.0, 0.25]]}) == [
        [".50", ""], ["1.00", ".25"],
    ]  # fmt: skip


def test_signs_of_a_text_in_a_value_are_only_signs() -> None:
    assert format_text("{task}[ and {other}]", {"task": "a[b] {c}", "other": "{task}"}) == (
        "a[b] {c} and {task}"
    )


def test_a_template_is_filled_and_stays_as_it_is() -> None:
    template = Template(
        "bars", {"tasks": ["a", "b"], "caption": "two"}, go.Figure(go.Bar(x=["a", "b"])),
        (
            Slot(("data", 0, "y"), ("shares",), 1),
            Slot(("data", 0, "customdata"), ("tasks", "counts")),
        ),
        {
            "title": Text("Bars"),
            "every": Text("{tasks} {counts:,}", join="; "),
            "description": Text("{title}: {every}."),
        },
    )  # fmt: skip
    for shares in ([[0, 0], [0.1, 0.2]], [[0, 0], [0.3, 0.4]]):
        figure = fill(template, {"shares": shares, "counts": [1000, 2]})
        assert list(figure.data[0].y) == shares[1]
        assert figure.data[0].customdata.tolist() == [["a", 1000], ["b", 2]]
        assert (caption_of(figure), description_of(figure)) == ("two", "Bars: a 1,000; b 2.")
    assert template.skeleton.data[0].y is None


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        format_text("{share}", {})
