"""Where no page answers, a notebook keeps pictures and their words, and no JavaScript bundle."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tests.support.records import TASKS, made_run

CELLS = (
    """import fggm_lab as lab
lab.explore("runs")""",
    """lab.compare("runs")""",
    """lab.explore("nowhere")""",
    """lab.plots.score_matrix("runs/fggm")""",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """Explorers and a figure, run as nbconvert and nbval run them, widget state stored."""
    folder: Path = tmp_path_factory.mktemp("notebook")
    for method in ("sft", "fggm"):
        made_run(folder / "runs", method, TASKS[:3])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = NotebookClient(notebook, kernel_name="python3", store_widget_state=True,
                            resources={"metadata": {"path": str(folder)}})  # fmt: skip
    return client.execute()


def test_the_notebook_stays_small(executed: nbformat.NotebookNode) -> None:
    stored = json.dumps(executed)
    assert len(stored) < 150_000
    assert "plotly.js" not in stored and "FigureWidget" not in stored


@pytest.mark.parametrize("stored", [True, False], ids=["widget state", "no widget state"])
def test_converted_to_html_it_shows_picture_and_words(
    executed: nbformat.NotebookNode, stored: bool
) -> None:
    notebook = nbformat.from_dict(executed)
    if not stored:
        notebook.metadata.pop("widgets", None)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    visible = page.partition("<body")[2]
    assert visible.count("data:image/svg+xml") == 3
    assert "Under fggm: C-STANCE" in visible and "<table>" in visible
    assert visible.count("Under fggm: C-STANCE") == 1
    assert "There is no folder nowhere" in visible
    assert "Score matrix: fggm" in visible and "Framed: the task just learned" in visible
