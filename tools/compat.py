"""Test the lab on the lowest and on the newest versions of what it needs: `make compat`.

Each environment is made anew by uv: the oldest Python with the lower bounds of pyproject.toml, and
a new Python with the newest releases. The outcome is `docs/compat.json`, which the documentation's
page of versions and the test of the bounds read.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import xml.etree.ElementTree as xml
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from fggm_lab.files import write_json

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "docs" / "compat.json"
FOLDERS = ("fisher", "masks", "models", "methods", "training", "runs", "attribution", "cli")
"""Folders of tests/: the engine, masks, training with its callback, and the command line."""
TOOLS = ("pytest", "pytorch-optimizer", "pyyaml", "setuptools")
"""What the tests need beside the lab; setuptools builds peft's BOFT."""


@dataclass(frozen=True)
class Environment:
    """A Python, and which of the allowed versions are installed."""

    python: str
    resolution: str


ENVIRONMENTS = {
    "lowest": Environment("3.10", "lowest-direct"),
    "newest": Environment("3.13", "highest"),
}


@dataclass(frozen=True)
class Outcome:
    """Counts of the tests of one folder, and the names of those that failed."""

    passed: int
    skipped: int
    failed: list[str]


def make(environment: Environment, folder: Path, *, python: str | None = None) -> Path:
    """Make an environment that has the lab and everything optional.

    Args:
        environment: which versions.
        folder: where to make it; what was there goes.
        python: an interpreter, by path or version; by default the environment's version.

    Returns:
        Its interpreter.

    Raises:
        subprocess.CalledProcessError: no such Python, or the bounds contradict each other.
    """
    _uv("venv", "--clear", "--python", python or environment.python, str(folder))
    interpreter = folder / "bin" / "python"
    install = ("pip", "install", "--python", str(interpreter))
    _uv(*install, "--resolution", environment.resolution, "--editable", f"{ROOT}[all]")
    _uv(*install, *TOOLS)
    return interpreter


def versions(interpreter: Path) -> dict[str, str]:
    """What is installed: name → version."""
    listed = _uv("pip", "list", "--python", str(interpreter), "--format", "json")
    return {package["name"]: package["version"] for package in json.loads(listed)}


def tests(interpreter: Path, folder: str, report: Path) -> Outcome:
    """Run the tests of one folder.

    Args:
        interpreter: of the environment.
        folder: its name in tests/.
        report: where pytest writes its results.

    Returns:
        What came of it; a folder that could not be run is one failure.
    """
    settings = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    words = ("-q", "-p", "no:cacheprovider", f"--junitxml={report}", f"tests/{folder}")
    report.unlink(missing_ok=True)
    subprocess.run(
        [str(interpreter), "-m", "pytest", *words], cwd=ROOT, env=os.environ | settings, check=False
    )
    return outcome(report) if report.exists() else Outcome(0, 0, [f"tests/{folder}"])


def outcome(report: Path) -> Outcome:
    """Read pytest's results."""
    failed: list[str] = []
    skipped = passed = 0
    for case in xml.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return Outcome(passed, skipped, sorted(set(failed)))


def _uv(*words: str) -> str:
    """What uv prints; it lies beside the interpreter, or on the path."""
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else "uv"
    done = subprocess.run([program, *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main(arguments: Iterable[str] | None = None) -> int:
    """Make the environments asked for, test in each, and write the report; 1 if a test failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="ENVIRONMENT", help=" or ".join(ENVIRONMENTS))
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "compat")
    parser.add_argument("--python", help="the interpreter to use, by path or version")
    options = parser.parse_args(None if arguments is None else list(arguments))
    unknown = set(options.names) - set(ENVIRONMENTS)
    if unknown:
        parser.error(f"no environment is called {unknown.pop()}; there are {list(ENVIRONMENTS)}")
    passed = True
    for name in options.names or ENVIRONMENTS:
        environment = ENVIRONMENTS[name]
        interpreter = make(environment, options.folder / name, python=options.python)
        results = {f: tests(interpreter, f, options.folder / f"{name}.xml") for f in FOLDERS}
        passed &= not any(result.failed for result in results.values())
        report = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
        report[name] = {
            "python": _python(interpreter),
            "platform": f"{platform.system()} {platform.machine()}",
            "versions": versions(interpreter),
            "tests": {folder: asdict(result) for folder, result in results.items()},
        }
        write_json(REPORT, dict(sorted(report.items())))
    return 0 if passed else 1


def _python(interpreter: Path) -> str:
    code = "import platform; print(platform.python_version())"
    done = subprocess.run([interpreter, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    raise SystemExit(main())
