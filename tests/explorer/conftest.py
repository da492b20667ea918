"""Made-up runs shared by the tests of the explorer."""

import pytest

from fggm_lab.runs import Run
from tests.support.records import runs_of_methods


@pytest.fixture(scope="session")
def four_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """The same eight tasks under four methods."""
    return runs_of_methods(tmp_path_factory.mktemp("runs"))
