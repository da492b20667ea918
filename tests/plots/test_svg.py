"""Still pictures of line figures: well-formed, small, and every point where its axes say."""

import re
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


def test_other_figures_are_refused() -> None:
    with pytest.raises(SettingError, match="bar"):
        svg(go.Figure(go.Bar(y=[1])))
