"""The example in docs/ci.md works: its files are taken from the page and its commands run."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from tests.support.pages import blocks

FILES = {block.title: block.code for block in blocks("yaml", "ini", "python") if block.title}
WORKFLOW = yaml.safe_load(FILES[".github/workflows/notebooks.yml"])


def commands(job: str) -> list[str]:
    """What a job runs once everything is installed."""
    runs = [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]
    return [run.replace("\n", " ") for run in runs if "install" not in run]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the page's files and a notebook whose output has a duration in it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def store(project: Path, *cells: tuple[str, str]) -> None:
    """Write a notebook: each cell's source, and the text stored below it."""
    cells_of_code = []
    for source, text in cells:
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
        cells_of_code.append(nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=1))
    notebook = nbformat.v4.new_notebook(cells=cells_of_code)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, project / "notebooks" / "one.ipynb")


def run(project: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the page's commands."""
    program, *words = command.split()
    assert program == "python"
    env = os.environ | {"PYTEST_ADDOPTS": "-p no:cacheprovider"}
    call = [sys.executable, *words]
    return subprocess.run(call, cwd=project, env=env, capture_output=True, text=True)


def test_strict_holds_what_is_stored_forgives_durations_and_lax_only_runs(project: Path) -> None:
    store(
        project,
        ("import time, random", ""),
        ("print(f'{6 * 7} after {time.process_time():.3f} s')", "42 after 0.000 s\n"),
        ("# NBVAL_IGNORE_OUTPUT\nprint(random.random())", "0.5\n"),
        ("print(6 * 7)", "41\n"),
    )
    stored, strict = commands("strict")
    (lax,) = commands("lax")
    assert run(project, stored).returncode == 0
    compared = run(project, strict)
    assert compared.returncode == 1 and "1 failed, 3 passed" in compared.stdout, compared.stdout
    assert "one.ipynb::Cell 3" in compared.stdout
    assert run(project, lax).returncode == 0


def test_bulky_outputs_are_found(project: Path) -> None:
    store(project, *[("1", "")] * 3)
    path = project / "notebooks" / "one.ipynb"
    notebook = nbformat.read(path, as_version=4)
    picture = nbformat.v4.new_output("display_data", {"image/png": "AAAA"})
    error = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
    long = nbformat.v4.new_output("stream", name="stdout", text="x" * 30_000)
    for cell, output in zip(notebook.cells, (picture, error, long), strict=True):
        cell.outputs = [output]
    nbformat.write(notebook, path)
    done = run(project, commands("strict")[0])
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and len(lines) == 3
    assert "cell 0: stores image/png" in lines[0]
    assert "cell 1: stores an error" in lines[1]
    assert "cell 2: stores more than 20000 characters" in lines[2]


def test_the_workflow_is_complete() -> None:
    for job in WORKFLOW["jobs"].values():
        assert job["timeout-minutes"] and job["runs-on"]
        used = [step["uses"] for step in job["steps"] if "uses" in step]
        assert [name.split("@")[0] for name in used] == ["actions/checkout", "actions/setup-python"]
