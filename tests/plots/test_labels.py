"""Names that hold markup, control characters or nothing are shown as they are, in every figure."""

import re
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest

from fggm_lab.plots import FIGURES, describe, export, figure_rows
from fggm_lab.plots.labels import as_label, with_labels
from fggm_lab.plots.svg import svg
from tests.support.figures import TABLE, Records
from tests.support.records import made_run, made_scores

TASKS = ["<b>", "FOMC", "", "<br>", "a<b & c", "\x1b[31m", "<a href='x'>y", "&lt;"]
METHODS = ("fggm", "random", "<i>")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Records:
    folder = tmp_path_factory.mktemp("hostile")
    runs = [made_run(folder, method, TASKS) for method in METHODS]
    records = Records.of(runs, made_scores)
    scores = dict(zip(TASKS, records.scores.values(), strict=True))
    masks = dict(zip(TASKS, records.masks.values(), strict=True))
    return Records(runs, scores, masks)


def _read(text: str) -> str:
    """What Plotly shows of a text: no tags, entities as characters."""
    return unescape(re.sub(r"<[^>]*>", "", text)).strip()


@pytest.mark.parametrize("name", ["", " ", "<b>", "<br>", "a<b & c", "\x1b[0m", "plain", "“x”"])
def test_a_label_reads_as_its_name_and_a_label_stays_itself(name: str) -> None:
    label = as_label(name)
    shown = name.replace("\x1b", "\\x1b")
    assert _read(label) == (shown if name.strip() else f"“{name}”")
    assert as_label(label) == label


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_figure_shows_every_name(name: str, hostile: Records, tmp_path: Path) -> None:
    figure = FIGURES[name].draw(*TABLE[name](hostile))
    assert all(_read(trace.name) for trace in figure.data if trace.name is not None)
    picture = svg(figure)
    assert not re.search("[\x00-\x08\x0b-\x1f]", picture + describe(figure))
    ElementTree.fromstring(picture)
    assert export(figure, tmp_path / "figure.html").stat().st_size > 1000
    assert figure_rows(figure)


def test_a_picture_and_its_numbers_have_the_names(hostile: Records) -> None:
    figure = FIGURES["score_matrix"].draw(hostile.runs[0])
    texts = {element.text for element in ElementTree.fromstring(svg(figure)).iter()}
    assert {"<b>", "<br>", "a<b & c", "“”"} <= texts
    assert {"<b>", "a<b & c"} <= {row["x"] for row in figure_rows(figure)}
    curves = FIGURES["forgetting_curves"].draw(hostile.runs)
    assert {"&lt;b&gt;", "“”"} <= {trace.name for trace in curves.data}


def test_names_of_an_axis_and_what_is_placed_by_them_change_together() -> None:
    figure = go.Figure(go.Bar(x=["<b>", "B"], y=[1, 2], name="<i>"))
    figure.add_annotation(x="<b>", y=1, text="<b>here</b>")
    with_labels(with_labels(figure))
    assert list(figure.data[0].x) == ["&lt;b&gt;", "B"] and figure.data[0].name == "&lt;i&gt;"
    assert figure.layout.annotations[0].x == "&lt;b&gt;"
    assert figure.layout.annotations[0].text == "<b>here</b>"
