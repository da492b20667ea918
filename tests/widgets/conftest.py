"""Made-up runs shared by the tests of widgets."""

from pathlib import Path

import pytest

from fggm_lab.runs import Run
from tests.support.records import made_run

METHODS = ("sft", "migu", "fggm", "random")


@pytest.fixture(scope="session")
def four_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """The same eight tasks under four methods."""
    folder: Path = tmp_path_factory.mktemp("runs")
    return [made_run(folder, method) for method in METHODS]
