"""The documentation's site, built as `make docs` builds it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.pages import ROOT

SOURCES = ("docs", "fggm_lab", "notebooks", "mkdocs.yml")


def newest(path: Path) -> float:
    """When a file, or any file in a folder, was last written."""
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return max(p.stat().st_mtime for p in files if "__pycache__" not in p.parts)


def built_site(folder: Path) -> Path:
    """The site that `make docs` left if nothing changed since; else built in `folder`, strictly."""
    inventory = ROOT / "site" / "objects.inv"
    if inventory.exists() and inventory.stat().st_mtime > max(
        newest(ROOT / name) for name in SOURCES
    ):
        return inventory.parent
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    env = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder
