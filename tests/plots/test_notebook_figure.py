"""What a figure carries into a notebook: Plotly's own drawing, a still picture and words."""

import copy
import json
import pickle
from collections.abc import Iterator
from html import escape

import plotly.graph_objects as go
import plotly.io as pio
import pytest

from fggm_lab.plots import bare, caption_of, describe, fisher_spectra
from fggm_lab.plots.finish import finish
from fggm_lab.plots.notebook_figure import NotebookFigure, in_notebooks
from tests.support.records import made_scores

PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module")
def figure() -> go.Figure:
    return fisher_spectra(made_scores("FOMC"))


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Plotly as it is in a notebook, put back afterwards."""
    before = pio.renderers.default
    pio.renderers.default = "plotly_mimetype"
    yield monkeypatch
    pio.renderers.default = before


def shown(figure: go.Figure, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The outputs that a notebook's cell gets when it ends with the figure, in order."""
    outputs: list[dict[str, object]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: outputs.append(bundle))
    figure._ipython_display_()
    return outputs


def test_the_texts_stand_above_the_plot_and_its_picture(
    figure: go.Figure, renderer: pytest.MonkeyPatch
) -> None:
    texts, plot = shown(figure, renderer)
    assert list(texts) == ["text/html", "text/plain"]
    for text in (figure.layout.meta["title"], caption_of(figure), describe(figure)):
        assert escape(text) in str(texts["text/html"])
        assert text in " ".join(str(texts["text/plain"]).split())
    assert max(map(len, str(texts["text/plain"]).splitlines())) <= 80
    assert list(plot) == ["text/html", "text/plain", PLOTLY]
    layout = json.loads(json.dumps(plot))[PLOTLY]["layout"]
    assert layout["meta"] == figure.layout.meta and "title" not in layout
    assert '<img src="data:image/svg+xml' in str(plot["text/html"])
    assert caption_of(figure) not in str(plot["text/html"]), "it would be there twice"


def test_one_bundle_has_the_plot_with_its_texts_the_picture_and_the_words(
    figure: go.Figure, renderer: pytest.MonkeyPatch
) -> None:
    bundle = figure._repr_mimebundle_()
    assert bundle[PLOTLY]["layout"]["title"]["text"] == figure.layout.title.text
    assert '<img src="data:image/svg+xml' in bundle["text/html"]
    assert describe(figure) in " ".join(bundle["text/plain"].split())


def test_where_plotly_brings_a_page_of_its_own_that_is_shown(
    figure: go.Figure, renderer: pytest.MonkeyPatch
) -> None:
    pio.renderers.default = "colab"
    texts, plot = shown(figure, renderer)
    assert "<script" in str(plot["text/html"]) and "fggm-figure" not in str(plot["text/html"])
    assert escape(describe(figure)) in str(texts["text/html"])


def test_where_plotly_opens_a_browser_it_still_does(
    figure: go.Figure, renderer: pytest.MonkeyPatch
) -> None:
    opened: list[go.Figure] = []
    renderer.setattr("plotly.io.show", opened.append)
    pio.renderers.default = "browser"
    assert shown(figure, renderer) == [] and opened == [figure]


def test_a_figure_no_picture_can_be_drawn_of_has_its_words() -> None:
    pie = finish(go.Figure(go.Pie(values=[1])), "Pie", "One slice.", "A pie of one slice.")
    bundle = pie._repr_mimebundle_()
    assert "One slice. A pie of one slice." in bundle["text/html"]
    assert "<img" not in bundle["text/html"]


def test_it_is_a_plotly_figure_in_every_other_way(figure: go.Figure) -> None:
    for same in (copy.deepcopy(figure), pickle.loads(pickle.dumps(figure)), go.Figure(figure)):
        assert json.loads(same.to_json()) == json.loads(figure.to_json())
    assert isinstance(figure, go.Figure)
    assert type(bare(figure)) is go.Figure
    widget = go.FigureWidget(figure)
    assert in_notebooks(widget) is widget and not isinstance(widget, NotebookFigure)
