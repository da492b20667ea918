"""A browser lays out the texts of every registered figure: none meet, none are cut off."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import plotly.graph_objects as go
import pytest
from plotly.offline import get_plotlyjs

from fggm_lab import plots
from fggm_lab.methods import METHODS
from fggm_lab.plots import FIGURES, theme
from fggm_lab.plots.finish import finish
from fggm_lab.plots.svg import svg
from tests.support.colours import contrast, rgb
from tests.support.figures import TABLE, Records
from tests.support.records import TASKS, made_run, made_scores, runs_of_methods
from tests.support.text_boxes import draw, problems_of_plot, problems_of_svg

DARK, LIGHT = "#212121", "#ffffff"
"""Where JupyterLab shows figures in its dark and in its light theme."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, go.Figure]:
    """Every registered figure, and some with longer legends and names than those."""
    folder = tmp_path_factory.mktemp("runs")
    records = Records.of(runs_of_methods(folder), made_scores)
    drawn = {name: kind.draw(*TABLE[name](records)) for name, kind in FIGURES.items()}
    ten_runs = [
        made_run(folder / "many", method, TASKS[:2], general="lower", points=1)
        for method in list(METHODS)[:10]
    ]
    drawn["a plane of ten methods"] = plots.stability_plasticity(ten_runs)
    drawn["curves and a loss of five methods"] = plots.forgetting_curves(ten_runs[:5])
    drawn["curves of one task"] = plots.forgetting_curves(records.runs, "FOMC")
    drawn["shares by module"] = plots.kept_shares(records.fomc, by="module")
    drawn["a map of one layer"] = plots.mask_map(records.masks, 1)
    return drawn


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """An empty page with Plotly."""
    page = browser.new_page(viewport={"width": 1100, "height": 1300})
    page.set_default_timeout(120_000)  # a loaded machine draws slowly
    page.set_content("<style></style><div id='figure'></div>")
    page.add_script_tag(content=get_plotlyjs())
    yield page
    page.close()


@pytest.mark.parametrize(("width", "form"), [(theme.MIN_WIDTH, go.Figure), (1100, plots.bare)])
def test_no_texts_meet_and_none_is_cut_off(
    page: Any,
    figures: dict[str, go.Figure],
    width: int,
    form: Callable[[go.Figure], go.Figure],
) -> None:
    """With title and caption inside, and without, as where they stand beside the figure."""
    problems = {
        name: problems_of_figure
        for name, figure in figures.items()
        if (problems_of_figure := problems_of_plot(draw(page, form(figure), width)))
    }
    assert problems == {}


def test_still_pictures_have_room_for_their_texts(page: Any, figures: dict[str, go.Figure]) -> None:
    problems = {}
    for name, figure in figures.items():
        page.evaluate("svg => { document.getElementById('figure').innerHTML = svg }", svg(figure))
        if problems_of_figure := problems_of_svg(page.locator("#figure svg")):
            problems[name] = problems_of_figure
    assert problems == {}


def test_a_caption_that_does_not_wrap_would_be_seen(page: Any) -> None:
    figure = finish(go.Figure(go.Scatter(y=[1, 2])), "Title", "word " * 30, "words")
    figure.layout.title.subtitle.text = "word " * 60
    figure.add_annotation(text="over a tick", x=0, y=0, xref="paper", yref="paper", yanchor="top")
    problems = " ".join(problems_of_plot(draw(page, figure, theme.MIN_WIDTH)))
    assert "cut off" in problems and "over a tick" in problems


@pytest.mark.parametrize(("ink", "back"), [("#e0e0e0", DARK), ("#212121", LIGHT)])
def test_texts_and_the_mode_bar_can_be_read_in_a_light_and_in_a_dark_page(
    page: Any, figures: dict[str, go.Figure], ink: str, back: str
) -> None:
    style = f"body {{ color: {ink}; background: {back}; }} {theme.PAGE_STYLE}"
    page.evaluate("css => { document.querySelector('style').textContent = css }", style)
    plot = draw(page, figures["forgetting_curves"], theme.MIN_WIDTH)
    fills = set(plot.evaluate("""plot => [...plot.querySelectorAll('.main-svg text')]
      .map(text => getComputedStyle(text).fill)"""))  # fmt: skip
    assert fills and min(contrast(rgb(fill), rgb(back)) for fill in fills) >= 4.5
    bar = plot.evaluate("""plot => ({
      back: getComputedStyle(plot.querySelector('.modebar-group')).backgroundColor,
      icons: [...plot.querySelectorAll('.modebar-btn path')].map(e => getComputedStyle(e).fill)})
    """)
    assert re.fullmatch(r"rgba\(.*, 0\)", bar["back"])
    assert min(contrast(rgb(fill), rgb(back)) for fill in bar["icons"]) >= 3
