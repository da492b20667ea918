"""`fggm-lab info --json`: enough to repeat a bug, and nothing that is the user's own."""

import getpass
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from fggm_lab import project
from fggm_lab.cli.environment import environment
from tests.support.command_line import CommandResult


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose name is found nowhere else, with the folders that programs look for there."""
    home = tmp_path_factory.mktemp("home") / "Zoë O'Example-7f3a"
    (home / ".cache" / "huggingface").mkdir(parents=True)
    return home


@pytest.fixture(scope="module")
def printed(home: Path) -> str:
    """What the command prints with that home, run from inside it."""
    folders = {"HOME": str(home), "USERPROFILE": str(home), "HF_HOME": str(home / ".cache"),
               "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "fggm_lab.cli", "info", "--json"], cwd=home, text=True,
        env=os.environ | folders | {"PYTHONPATH": str(project.CHECKOUT)},
        capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def texts(value: Any) -> list[str]:
    """Every key and text inside a JSON value."""
    if isinstance(value, dict):
        return [text for key, inside in value.items() for text in [key, *texts(inside)]]
    if isinstance(value, list):
        return [text for inside in value for text in texts(inside)]
    return [value] if isinstance(value, str) else []


def test_no_path_and_no_name_of_the_user_is_in_it(printed: str, home: Path) -> None:
    assert home.name not in printed and "7f3a" not in printed
    for text in texts(json.loads(printed)):
        assert "/" not in text and "\\" not in text and getpass.getuser() not in text.split()


def test_versions_machine_and_shipped_data_are_in_it(printed: str) -> None:
    record = json.loads(printed)
    assert record["fggm_lab"] == project.version()
    assert record["packages"]["core"]["torch"] == metadata.version("torch")
    assert list(record["packages"]) == list(project.requirements())
    assert record["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert record["threads"]["torch"] == 1 and record["threads"]["OMP_NUM_THREADS"] == "1"
    assert 0 < record["memory"]["available_mb"] <= record["memory"]["total_mb"]
    assert record["device"]["kind"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert record["shipped"]["tasks"] == {"trace-mini": True, "code-mini": True, "real-mini": True}
    assert record["shipped"]["models"] == {"tiny": True}
    assert set(record["shipped"]["stored_runs"].values()) == {True}
    assert "fggm" in record["methods"] and "empirical" in record["estimators"]


def test_what_is_not_installed_is_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "requirements", lambda: {"core": ["torch"], "odd": ["absent-x"]})
    assert environment()["packages"]["odd"] == {"absent-x": None}


def test_a_run_folder_has_no_such_json(call: Callable[..., CommandResult]) -> None:
    result = call("info", "runs", "--json")
    assert "config.json" in result.refusal
