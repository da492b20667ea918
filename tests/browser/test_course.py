"""Every notebook of the course runs from top to bottom in a real JupyterLab."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.jupyter import LabPage, serve

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
DRAWS = re.compile(r"^(lab\.plots\.[a-z_]+\(|lab\.(explore|compare|MaskPlayground)\()", re.M)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """JupyterLab over a copy of the notebooks; the course's runs are read from the project."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    runs = str(ROOT / "runs" / "course")
    with serve(folder, tmp_path_factory.mktemp("jupyter"), FGGM_LAB_COURSE_RUNS=runs) as address:
        yield address


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_draws(browser: Any, server: str, name: str) -> None:
    lab = LabPage(browser, server, f"notebooks/{name}")
    lab.run_all()
    assert lab.errors() == []
    executed, total = lab.executed()
    assert executed == total > 0
    cells = json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    figure_count = sum(bool(DRAWS.search(source)) for source in sources)
    lab.wait_for(
        "count => document.querySelectorAll('.jp-OutputArea .js-plotly-plot .main-svg').length"
        " >= count",
        figure_count,
    )
    lab.shot(f"course-{Path(name).stem}")
    lab.close()
    assert lab.problems == []
