"""Still pictures of figures: well-formed, small, and everything where the axes say."""

import re
from base64 import b64decode
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import plotly.graph_objects as go
import pytest

from fggm_lab.errors import SettingError
from fggm_lab.plots import forgetting_curves, stability_plasticity
from fggm_lab.plots.svg import MAX_POINTS, svg
from fggm_lab.runs import Run
from tests.support.records import made_run

SVG = "{http://www.w3.org/2000/svg}"


def lines(figure: go.Figure) -> list[list[tuple[float, float]]]:
    """The pixels of every unfilled line of more than one point, in order."""
    root = ElementTree.fromstring(svg(figure))
    paths = [p.attrib["d"] for p in root.iter(f"{SVG}path") if p.attrib.get("fill") == "none"]
    pairs = [
        re.findall(r"(-?[\d.]+) (-?[\d.]+)", d) for d in paths if re.fullmatch(r"[M\d .-]+", d)
    ]
    return [[(float(x), float(y)) for x, y in points] for points in pairs if len(points) > 1]


def ticks(figure: go.Figure) -> dict[str, tuple[float, float]]:
    root = ElementTree.fromstring(svg(figure))
    texts = [t for t in root.iter(f"{SVG}text") if "x" in t.attrib]
    return {t.text or "": (float(t.attrib["x"]), float(t.attrib["y"])) for t in texts}


def test_points_stand_at_their_ticks() -> None:
    figure = go.Figure(go.Scatter(x=[0, 2, 10], y=[0.0, 0.5, 1.0], mode="lines"))
    figure.update_xaxes(range=[0, 10], tickvals=[0, 2, 10], ticktext=["a", "b", "c"])
    figure.update_yaxes(range=[0, 1], tickvals=[0, 0.5, 1], ticktext=["p", "q", "r"])
    (line,), marks = lines(figure), ticks(figure)
    for (x, y), across, upward in zip(line, "abc", "pqr", strict=True):
        assert x == marks[across][0] and y + 4 == marks[upward][1]


def test_named_and_logarithmic_axes() -> None:
    figure = go.Figure(go.Scatter(x=["one", "two"], y=[10.0, 1000.0], mode="lines"))
    figure.update_yaxes(type="log", range=[0, 4])
    (line,), marks = lines(figure), ticks(figure)
    assert [x for x, _ in line] == [marks["one"][0], marks["two"][0]]
    assert [y + 4 for _, y in line] == [marks["1e1"][1], marks["1e3"][1]]


@pytest.mark.parametrize(("count", "length"), [(3, 5), (30, 2), (60, 2), (9, 14), (50, 14)])
def test_labels_below_an_axis_never_overlap(count: int, length: int) -> None:
    names = [str(number).rjust(length, "n") for number in range(count)]
    figure = go.Figure(go.Scatter(x=names, y=[1.0] * count, mode="lines"))
    root = ElementTree.fromstring(svg(figure))
    texts = [t for t in root.iter(f"{SVG}text") if t.text in names]
    assert texts[0].text == names[0] and len(texts) > min(count, 12) / 2
    centres = [float(text.attrib["x"]) for text in texts]
    for left, right in pairwise(centres):
        turned = "transform" in texts[0].attrib
        line, width = 11, 6 * length  # pixels of a text of size 11
        assert right - left >= (line / np.sin(np.radians(35)) if turned else width) - 1


def test_error_bars_and_room_around_the_data() -> None:
    figure = go.Figure(go.Scatter(x=[1.0], y=[2.0], mode="markers", name="m",
                                  error_y={"array": [3.0]}))  # fmt: skip
    drawn = svg(figure)
    marks = {name: y for name, (_, y) in ticks(figure).items()}
    bar = re.search(r'd="M\d+ (\d+)V(\d+)"', drawn)
    assert bar is not None
    length = abs(int(bar[2]) - int(bar[1]))
    assert length == pytest.approx(6 * abs(marks["4"] - marks["2"]) / 2, abs=3)


def test_a_long_line_is_thinned_and_keeps_its_ends_and_its_peak() -> None:
    height = np.sin(np.arange(20_000) / 3)
    height[7777] = 5
    figure = go.Figure(go.Scatter(x=np.arange(20_000), y=height, mode="lines"))
    (line,) = lines(figure)
    assert len(line) <= MAX_POINTS
    assert min(y for _, y in line) < sorted(y for _, y in line)[2] - 50
    assert line[0][0] < line[-1][0] - 550


def test_the_labs_line_figures_are_small_and_name_what_they_show(four_runs: list[Run]) -> None:
    for figure in (
        forgetting_curves(four_runs), forgetting_curves(four_runs, "FOMC"),
        stability_plasticity(four_runs), stability_plasticity(four_runs, "general"),
    ):  # fmt: skip
        drawn = svg(figure)
        assert len(drawn) < 45_000 and "<script" not in drawn
        texts = {t.text for t in ElementTree.fromstring(drawn).iter(f"{SVG}text")}
        assert figure.layout.meta["title"] in texts
        assert {t.name for t in figure.data if t.name and t.showlegend is not False} <= texts


def test_a_run_that_has_only_begun_and_names_with_signs(tmp_path: Path) -> None:
    run = made_run(tmp_path, "fggm", ["a < b & c", "d"], done=0)
    assert "a &lt; b &amp; c" in svg(forgetting_curves(run))


def test_bars_reach_from_zero_to_their_ticks_and_stand_beside_each_other() -> None:
    figure = go.Figure([go.Bar(x=["a", "b"], y=[1.0, -0.5], name="one", marker_color="#0072B2"),
                        go.Bar(x=["a", "b"], y=[0.5, 1.0], name="two", marker_color="#D55E00",
                               text=["half", "full"])])  # fmt: skip
    figure.update_yaxes(range=[-1, 1], tickvals=[-0.5, 0, 0.5, 1])
    marks = {text: y - 4 for text, (_, y) in ticks(figure).items()}
    rects = [r for r in ElementTree.fromstring(svg(figure)).iter(f"{SVG}rect")
             if "opacity" in r.attrib]  # fmt: skip
    ends = [(float(r.attrib["y"]), float(r.attrib["y"]) + float(r.attrib["height"])) for r in rects]
    expected = [("1", "0"), ("0", "-0.5"), ("0.5", "0"), ("1", "0")]
    assert ends == [pytest.approx((marks[top], marks[low]), abs=0.6) for top, low in expected]
    spans = sorted((float(r.attrib["x"]), float(r.attrib["width"])) for r in rects)
    assert all(x + width <= after + 0.2 for (x, width), (after, _) in pairwise(spans))
    assert {"half", "full", "one", "two"} <= ticks(figure).keys()


def test_bars_that_lie_down() -> None:
    figure = go.Figure(go.Bar(x=[0.2, 0.8], y=["a", "b"], orientation="h", marker_color="#0072B2"))
    figure.update_xaxes(range=[0, 1], tickvals=[0, 0.2, 0.8])
    marks = {text: x for text, (x, _) in ticks(figure).items()}
    rects = [r for r in ElementTree.fromstring(svg(figure)).iter(f"{SVG}rect")
             if "opacity" in r.attrib]  # fmt: skip
    ends = [float(r.attrib["x"]) + float(r.attrib["width"]) for r in rects]
    assert ends == pytest.approx([marks["0.2"], marks["0.8"]], abs=0.6)


@pytest.mark.parametrize("reversed_rows", [False, True])
def test_cells_have_the_colours_of_their_numbers_where_the_axes_say(reversed_rows: bool) -> None:
    image = pytest.importorskip("PIL.Image")
    scale = [[0, "#000000"], [0.5, "rgb(255,0,0)"], [1, "rgba(255,255,255,0.5)"]]
    figure = go.Figure(go.Heatmap(x=["l", "m", "r"], y=["p", "q"], colorscale=scale, zmin=0, zmax=2,
                                  z=[[0, 1, 2], [None, 2, 0]]))  # fmt: skip
    figure.update_yaxes(autorange="reversed" if reversed_rows else None)
    (cells, legend) = ElementTree.fromstring(svg(figure)).iter(f"{SVG}image")
    pixels = np.asarray(image.open(BytesIO(b64decode(cells.attrib["href"].partition(",")[2]))))
    black, red, white, blank = (0, 0, 0, 255), (255, 0, 0, 255), (255, 255, 255, 128), (0,) * 4
    rows = [[black, red, white], [blank, white, black]]
    assert np.abs(pixels - np.array(rows if reversed_rows else rows[::-1], int)).max() <= 2
    left, top, width, height = (float(cells.attrib[name]) for name in ("x", "y", "width", "height"))
    marks = ticks(figure)
    for column, name in enumerate("lmr"):
        assert marks[name][0] == pytest.approx(left + width * (column + 0.5) / 3, abs=1)
    order = "pq" if reversed_rows else "qp"
    for row, name in enumerate(order):
        assert marks[name][1] - 4 == pytest.approx(top + height * (row + 0.5) / 2, abs=1)
    assert float(legend.attrib["x"]) > left + width
    assert {"0", "1", "2"} <= marks.keys()


def test_what_is_switched_off_is_not_drawn() -> None:
    far = {"x": [0, 9], "y": [0, 9], "mode": "lines"}
    figure = go.Figure(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", name="here"))
    figure.add_scatter(**far, name="off", visible=False)
    figure.add_scatter(**far, name="listed", visible="legendonly")
    drawn = svg(figure)
    assert len(lines(figure)) == 1 and "off" not in drawn and "listed" not in drawn


def test_a_band_lies_between_two_lines() -> None:
    figure = go.Figure([go.Scatter(x=[0, 1], y=[0, 0], mode="lines", line_width=0),
                        go.Scatter(x=[0, 1], y=[1, 1], mode="lines", line_width=0, fill="tonexty",
                                   fillcolor="rgba(0,0,0,0.1)")])  # fmt: skip
    figure.update_xaxes(range=[0, 1], tickvals=[0, 1], ticktext=["l", "r"])
    figure.update_yaxes(range=[0, 1], tickvals=[0, 1], ticktext=["low", "high"])
    marks = ticks(figure)
    (left, right), (low, high) = [marks[n][0] for n in "lr"], [marks[n][1] - 4 for n in
                                                               ("low", "high")]  # fmt: skip
    band = re.search(r'd="M([^"]+)" fill="rgba\(0,0,0,0.1\)"', svg(figure))
    assert band is not None and lines(figure) == []
    corners = [tuple(map(float, corner.split())) for corner in re.findall(r"\S+ \S+", band[1])]
    assert corners == [(left, high), (right, high), (right, low), (left, low)]


def test_other_figures_are_refused() -> None:
    with pytest.raises(SettingError, match="pie"):
        svg(go.Figure(go.Pie(values=[1])))
