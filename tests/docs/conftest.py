"""The documentation's own code."""

from collections.abc import Iterator

import pytest

from tests.support.pages import ROOT


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets a test import what mkdocs.yml lists under `hooks`."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "hooks")
    yield
