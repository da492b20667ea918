"""Rows in memory."""

from collections.abc import Iterator

import pytest

from studies import catalog, chosen, compared, training
from studies.rows import StudyRows
from tests.support.study_rows import Memory


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """Rows of studies, in place of the files; none at first."""
    studies: Memory = {}

    def study_rows(study: str) -> StudyRows:
        return studies.setdefault(study, StudyRows())

    for module in (catalog, chosen, compared, training):
        monkeypatch.setattr(module, "study_rows", study_rows)
    compared.plan.cache_clear()
    yield studies
    compared.plan.cache_clear()
