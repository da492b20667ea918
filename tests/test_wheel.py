"""The wheel is the whole lab: built, installed without its checkout, used in an empty folder."""

import json
import shutil
import subprocess
import sysconfig
import tarfile
from pathlib import Path

import pytest

from fggm_lab import project
from fggm_lab.course import STORED
from fggm_lab.course.folder import FIRST_NOTEBOOK
from fggm_lab.course.runs import FOLDER
from fggm_lab.tasks import SEQUENCES, load_tasks
from tools import wheel

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist and the wheel, their metadata checked."""
    return wheel.build(tmp_path_factory.mktemp("distributions"))


@pytest.fixture(scope="module")
def python(distributions: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, beside the present dependencies and without the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    _, built = distributions
    interpreter = wheel.make_environment(folder / "environment", built, "--no-deps")
    (site,) = (folder / "environment").glob("**/site-packages")
    # A folder on the path, whose own .pth files, among them the checkout's, are not read.
    (site / "present.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return interpreter


@pytest.mark.skipif(shutil.which("git") is None, reason="git lists the project's files")
def test_the_sdist_is_the_whole_project(distributions: tuple[Path, Path]) -> None:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone")
    with tarfile.open(distributions[0]) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in listed.stdout.split("\0") if (ROOT / name).is_file()} <= packed


def test_all_that_is_shipped_loads_without_the_checkout(python: Path, tmp_path: Path) -> None:
    shipped = json.loads(wheel.run(str(python), "-c", wheel.LOAD_EVERYTHING, cwd=tmp_path))
    assert shipped["version"] == project.version()
    assert shipped["tasks"] == {name: load_tasks(name).names for name in SEQUENCES}
    assert shipped["stored_runs"] == {name: list(stored.methods) for name, stored in STORED.items()}


def test_the_demo_trains_and_reports_in_an_empty_folder(python: Path, tmp_path: Path) -> None:
    printed = wheel.try_demo(python, tmp_path)
    assert (tmp_path / "runs" / "demo" / "report.html").is_file()
    assert "fggm" in printed and "report.html" in printed


def test_a_notebook_runs_in_the_copied_course(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The course's runs are trained once for all tests of notebooks.
    monkeypatch.setenv(FOLDER, str(ROOT / "runs" / "course"))
    wheel.try_notebook(python, tmp_path, FIRST_NOTEBOOK)
