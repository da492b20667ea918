"""The version and the dependencies are `pyproject.toml`'s, installed or not."""

import subprocess
import sys
from email.message import Message
from importlib import metadata
from pathlib import Path

import pytest

import fggm_lab as lab
from fggm_lab import project
from tests.support.project import PYPROJECT, ROOT

TABLE = PYPROJECT["project"]


def test_the_version_is_the_one_of_pyproject() -> None:
    assert lab.__version__ == project.version() == TABLE["version"]


def test_a_checkout_without_metadata_has_its_version(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import fggm_lab; "
        "print(fggm_lab.__version__)"
    )  # -S: no site-packages, so that nothing is installed
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == TABLE["version"]


def test_an_installed_package_is_asked_by_its_metadata(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["Torch>=2.4", "ruamel.yaml<1", "plotly>=6; extra == 'notebook'",
             'fggm-lab[notebook]; extra == "all"', 'kaleido>=1.5; extra == "images"']  # fmt: skip
    monkeypatch.setattr(project, "CHECKOUT", tmp_path)
    monkeypatch.setattr(metadata, "version", lambda name: f"version of {name}")
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    assert project.version() == "version of fggm-lab"
    assert project.requirements() == {
        "core": ["ruamel-yaml", "torch"], "notebook": ["plotly"], "all": [], "images": ["kaleido"],
    }  # fmt: skip


def test_another_projects_file_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\nversion = "9"\n')
    monkeypatch.setattr(project, "CHECKOUT", tmp_path)
    monkeypatch.setattr(metadata, "version", lambda name: "1.2.3")
    assert project.version() == "1.2.3"


def test_every_dependency_is_listed_once_in_its_part() -> None:
    parts = project.requirements()
    assert list(parts) == ["core", *TABLE["optional-dependencies"]]
    assert {"torch", "transformers", "numpy"} <= set(parts["core"])
    assert project.installed("torch") == metadata.version("torch")
    assert project.installed("no-such-distribution") is None


@pytest.mark.parametrize("checkout", [True, False])
def test_the_homepage_is_the_one_that_the_project_names(
    checkout: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = Message()
    message["Project-URL"] = "Issues, https://example.org/lab/issues"
    message["Project-URL"] = "Homepage, https://example.org/lab/"
    monkeypatch.setattr(metadata, "metadata", lambda name: message)
    if checkout:
        (tmp_path / "pyproject.toml").write_text(
            '[project]\nname = "fggm-lab"\nurls.Homepage = "https://example.org/lab"\n'
        )
    monkeypatch.setattr(project, "CHECKOUT", tmp_path)
    assert project.homepage() == "https://example.org/lab"
