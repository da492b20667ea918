"""The stability figure shows the rows, and its text what they say."""

from typing import Any

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.plots import describe, description_of, stability_curves

ROWS: list[dict[str, Any]] = [
    {"examples": 10, "jaccard": 0.5, "sd": 0.02, "expected": 0.18},
    {"examples": 20, "jaccard": 0.7, "sd": 0.01, "expected": 0.18},
    {"examples": 40, "jaccard": 0.9, "sd": None, "expected": 0.18},
]


def test_rows_are_drawn_as_they_are() -> None:
    figure = stability_curves({"FOMC": ROWS, "Py150": ROWS[:2]})
    curves = {t.meta["name"]: t for t in figure.data if t.meta}
    assert list(curves["FOMC"].x) == [10, 20, 40] and list(curves["FOMC"].y) == [0.5, 0.7, 0.9]
    assert list(curves["FOMC"].error_y.array) == [0.02, 0.01, 0]
    assert list(curves["Py150"].y) == [0.5, 0.7]
    assert list(figure.data[-1].y) == [0.18] * 3


def test_the_text_says_how_many_examples_it_takes() -> None:
    text = describe(stability_curves({"FOMC": ROWS, "Py150": ROWS[:2]}, 0.8))
    assert "FOMC: masks from 10 examples agree to 0.50 (0.18 by chance)" in text
    assert "0.8 takes about 30." in text and "0.8 is not reached with 20." in text
    assert description_of(stability_curves(ROWS)) == describe(stability_curves(ROWS))


@pytest.mark.parametrize("rows", [[], {}, {"a": []}])
def test_nothing_to_draw_is_said(rows) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingError, match="no rows"):
        stability_curves(rows)
