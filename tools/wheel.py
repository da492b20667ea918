"""Build the sdist and the wheel and try the wheel where there is no checkout: `make wheel`.

`python -m tools.wheel [FOLDER]` installs the wheel with all its dependencies into a fresh
environment; a test does the same beside the dependencies of the present environment.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LARGEST_WHEEL = 20_000_000
"""Bytes that the wheel may have."""

QUICK = ("--order", "FOMC,Py150", "--limit", "2", "--epochs", "1", "--points", "0")
"""Options with which the demo takes seconds."""

LOAD_EVERYTHING = """
import json
import sys
from pathlib import Path

import fggm_lab as lab
from fggm_lab.course import STORED
from fggm_lab.tasks import SEQUENCES, SHIPPED

package = Path(lab.__file__).resolve().parent
assert package.is_relative_to(sys.prefix), f"{package} is not in {sys.prefix}"
model, tokenizer = lab.load_model("tiny")
print(json.dumps({
    "version": lab.__version__,
    "parameters": model.num_parameters(),
    "tasks": {name: lab.load_tasks(name).names for name in SEQUENCES},
    "skills": list(lab.load_general(SHIPPED).skills),
    "stored_runs": {name: [run.config.method for run in lab.stored_runs(name)] for name in STORED},
}))
"""
"""A program that loads all that is shipped and prints what it came to as JSON."""


def build(folder: Path) -> tuple[Path, Path]:
    """Build the sdist, and from it the wheel; both are checked as the index would check them.

    Args:
        folder: where they go; older ones in it are deleted.

    Returns:
        The paths of the sdist and of the wheel.

    Raises:
        subprocess.CalledProcessError: one cannot be built, or its metadata are not clean.
        ValueError: the wheel is too large.
    """
    for older in [*folder.glob("*.tar.gz"), *folder.glob("*.whl")]:
        older.unlink()
    python = [sys.executable, "-m"]
    run(*python, "build", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    run(*python, "twine", "check", "--strict", str(sdist), str(wheel), cwd=ROOT)
    size = wheel.stat().st_size
    if size > LARGEST_WHEEL:
        raise ValueError(f"{wheel.name} has {size} bytes; at most {LARGEST_WHEEL} are allowed")
    return sdist, wheel


def make_environment(folder: Path, wheel: Path, *requirements: str) -> Path:
    """A fresh environment with the wheel in it.

    Args:
        folder: where the environment goes.
        wheel: to install.
        requirements: what pip is given beside the wheel, such as `--no-deps`.

    Returns:
        The environment's Python.
    """
    venv.create(folder, with_pip=False, symlinks=os.name == "posix")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", str(wheel), *requirements, cwd=folder)
    return python


def try_demo(python: Path, folder: Path) -> str:
    """Train the demo on a few examples and write its report; what it printed."""
    return command(python, folder, "demo", *QUICK)


def try_notebook(python: Path, folder: Path, name: str) -> None:
    """Make a copy of the course and run every cell of one of its notebooks."""
    command(python, folder, "lab", "--no-open")
    nbval = ["-m", "pytest", "--quiet", "--nbval-lax", "-p", "no:cacheprovider", name]
    run(str(python), *nbval, cwd=folder / "fggm-course")


def command(python: Path, folder: Path, *words: str) -> str:
    """Call `fggm-lab` of an environment in a folder; what it printed."""
    return run(str(python.with_name("fggm-lab")), *words, cwd=folder)


def run(*command: str, cwd: Path) -> str:
    """Run a program without the checkout on Python's path.

    Args:
        command: the program and its arguments.
        cwd: where it runs.

    Returns:
        What it printed.

    Raises:
        subprocess.CalledProcessError: it failed; what it printed is on standard error.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["HF_HUB_OFFLINE"] = "1"
    done = subprocess.run(
        command, cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def main(folder: Path) -> None:
    """Build into a folder and try the wheel with all dependencies in a fresh environment."""
    for path in build(folder):
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    with tempfile.TemporaryDirectory() as scratch:
        empty = Path(scratch, "empty")
        empty.mkdir()
        (wheel,) = folder.glob("*.whl")
        python = make_environment(
            Path(scratch, "environment"), wheel, "-c", str(ROOT / "constraints.txt"),
            f"fggm-lab[all] @ {wheel.resolve().as_uri()}",
        )  # fmt: skip
        print(run(str(python), "-c", LOAD_EVERYTHING, cwd=empty))
        print(try_demo(python, empty))
        for notebook in sorted((ROOT / "notebooks").rglob("00_*.ipynb")):  # in every language
            name = notebook.relative_to(ROOT / "notebooks").as_posix()
            try_notebook(python, empty, name)
            print(f"{name}: every cell ran")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist").resolve())
