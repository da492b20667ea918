"""The documentation's own code, and the site it makes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import ROOT

SOURCES = ("docs", "fggm_lab", "notebooks", "mkdocs.yml")


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets a test import what mkdocs.yml lists under `hooks`."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "hooks")
    yield


def newest(path: Path) -> float:
    """When a file, or any file in a folder, was last written."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return max(p.stat().st_mtime for p in files if "__pycache__" not in p.parts)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site: what `make docs` left if nothing changed since, else built here, strictly."""
    inventory = ROOT / "site" / "objects.inv"
    if inventory.exists() and inventory.stat().st_mtime > max(
        newest(ROOT / name) for name in SOURCES
    ):
        return inventory.parent
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder
