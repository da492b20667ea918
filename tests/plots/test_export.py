"""Exported files hold the figure: its numbers, its texts, and nothing fetched from elsewhere."""

import csv
import os
import re
import shutil
import struct
import sys
from html import unescape
from pathlib import Path

import plotly.graph_objects as go
import pytest

from fggm_lab.errors import LabError, MissingExtra, SettingError
from fggm_lab.plots import (
    caption_of,
    describe,
    export,
    figure_rows,
    forgetting_curves,
    lorenz_curves,
    mask_overlap,
    overlap_per_layer,
)
from fggm_lab.plots.finish import finish
from fggm_lab.runs import Run
from tests.support.records import TASKS, made_masks, made_scores


@pytest.fixture
def figure() -> go.Figure:
    return lorenz_curves({"a": made_scores("a"), "b <i>": made_scores("b", seed=1)})


@pytest.fixture
def chromium() -> None:
    """Skips without a browser, fails if FGGM_LAB_REQUIRE_BROWSER is 1."""
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        reason = "no chromium on the PATH (apt-get install chromium)"
        (pytest.fail if os.environ.get("FGGM_LAB_REQUIRE_BROWSER") == "1" else pytest.skip)(reason)


def test_rows_are_the_points_of_every_trace(figure: go.Figure) -> None:
    rows = figure_rows(figure)
    for trace in figure.data:
        points = [(row["x"], row["y"]) for row in rows if row["trace"] == unescape(trace.name)]
        assert points == [(float(x), float(y)) for x, y in zip(trace.x, trace.y, strict=True)]
    assert len(rows) == sum(len(t.x) for t in figure.data)
    assert any("b <i>" in row["trace"] for row in rows)
    assert rows[-1]["y_axis"] == "share of all Fisher information"


def test_rows_of_cells_name_their_panel_and_keep_what_is_blank() -> None:
    masks = made_masks(TASKS[:3])
    figure = mask_overlap(masks)
    rows = figure_rows(figure)
    assert len(rows) == 2 * 9
    for panel, trace in zip(("measured", "expected by chance"), figure.data, strict=True):
        table = {(r["y"], r["x"]): r["z"] for r in rows if r["panel"] == panel}
        assert table[TASKS[0], TASKS[0]] is None
        assert table[TASKS[2], TASKS[1]] == trace.z[2][1]
    assert {row["z_axis"] for row in rows} == {"Jaccard index"}
    assert {row["y_axis"] for row in rows} == {"task"}  # the second panel shares the first's axis


def test_rows_hold_error_bars_both_ways() -> None:
    figure = overlap_per_layer(made_masks(TASKS[:3]))
    row = figure_rows(figure)[0]
    bars = figure.data[0].error_y
    assert (row["y_minus"], row["y_plus"]) == (bars.arrayminus[0], bars.array[0])


def test_panels_of_methods_are_told_apart(four_runs: list[Run]) -> None:
    rows = figure_rows(forgetting_curves(four_runs[:2]))
    last = [r for r in rows if r["trace"] == "20Minuten" and r["x"] == 320]
    assert {row["panel"] for row in last} == {"sft", "migu"}


def test_what_is_not_shown_has_no_rows(figure: go.Figure) -> None:
    figure.data[1].visible = False
    assert figure.data[1].name not in {row["trace"] for row in figure_rows(figure)}
    assert figure_rows(go.Figure()) == []


def test_gaps_between_lines_are_no_rows() -> None:
    figure = go.Figure(go.Scatter(x=[1, None, 2], y=[3, None, float("nan")], name="t"))
    rows = figure_rows(figure)
    assert rows == [{"trace": "t", "x": 1, "y": 3}, {"trace": "t", "x": 2, "y": None}]


def test_a_table_reads_back_as_the_same_numbers(figure: go.Figure, tmp_path: Path) -> None:
    path = export(figure, tmp_path / "new" / "data.csv")
    with path.open(newline="", encoding="utf-8") as handle:
        back = list(csv.DictReader(handle))
    rows = figure_rows(figure)
    assert [(r["trace"], float(r["x"]), float(r["y"])) for r in back] == [
        (r["trace"], r["x"], r["y"]) for r in rows
    ]


def test_a_page_has_the_texts_the_figure_and_no_address(figure: go.Figure, tmp_path: Path) -> None:
    page = export(figure, tmp_path / "page.html").read_text(encoding="utf-8")
    title = figure.layout.meta["title"]
    assert f"<title>{title}</title>" in page and f"<h1>{title}</h1>" in page
    assert unescape(re.findall(r"<figcaption>(.*?)</figcaption>", page)[0]) == caption_of(figure)
    label = re.findall(r'role="img" aria-label="([^"]*)"', page)[0]
    assert unescape(label) == describe(figure) and unescape(page).count(describe(figure)) >= 2
    assert "color-scheme: light dark" in page and 'lang="en"' in page
    assert not re.findall(r"<script[^>]*\ssrc=", page)
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert not re.findall(r"\b(src|href)=", markup) and "b <i>" not in markup


def test_pages_of_one_figure_are_the_same_bytes(figure: go.Figure, tmp_path: Path) -> None:
    first, second = (export(figure, tmp_path / f"{n}.html").read_bytes() for n in (1, 2))
    assert first == second


def test_images_have_the_figures_size(chromium: None, figure: go.Figure, tmp_path: Path) -> None:
    png = export(figure, tmp_path / "figure.PNG").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (2000, 2 * figure.layout.height)
    svg = export(figure.update_layout(width=700), tmp_path / "figure.svg").read_text("utf-8")
    assert svg.startswith("<svg") and 'width="700"' in svg
    assert "Concentration of Fisher information" in svg and "mathjax" not in svg.lower()


def test_without_kaleido_the_remedy_is_named(
    figure: go.Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(MissingExtra, match=r'pip install "fggm-lab\[images\]"'):
        export(figure, tmp_path / "figure.png")
    assert list(tmp_path.iterdir()) == []


def test_without_a_browser_the_remedy_is_named(
    figure: go.Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-browser"))
    with pytest.raises(SettingError, match="Chrome or Chromium"):
        export(figure, tmp_path / "figure.svg")
    assert not (tmp_path / "figure.svg").exists()


def test_another_suffix_is_refused_and_the_known_ones_named(figure: go.Figure) -> None:
    for name in ("figure.pdf", "figure"):
        with pytest.raises(SettingError, match=r"\.csv, \.html, \.png, \.svg"):
            export(figure, name)


def test_what_the_disk_refuses_leaves_the_old_file(
    figure: go.Figure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.csv"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(LabError, match="No space left"):
        export(figure, path)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_describe_reads_the_text_or_says_there_is_none(figure: go.Figure) -> None:
    scores = {"a": made_scores("a"), "b <i>": made_scores("b", seed=1)}
    assert describe(figure) == describe(lorenz_curves(scores))
    assert describe(finish(go.Figure(), "t", "c", "in words")) == "in words"
    with pytest.raises(SettingError, match=r"draw it with fggm_lab\.plots"):
        describe(go.Figure())


def test_a_page_holds_the_part_of_plotly_that_draws_it(figure: go.Figure, tmp_path: Path) -> None:
    cartesian = export(figure, tmp_path / "curves.html").read_text()
    surface = finish(go.Figure(go.Surface(z=[[1, 2], [3, 4]])), "Surface", "Caption.", "Words.")
    other = export(surface, tmp_path / "surface.html").read_text()
    assert "plotly.js (cartesian - minified)" in cartesian and len(cartesian) < 2e6
    assert "plotly.js (cartesian - minified)" not in other and len(other) > 4e6
