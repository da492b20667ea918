"""The example changes in CONTRIBUTING.md apply to this checkout and do what they say."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
DIFFS = {
    section.partition("\n")[0]: section.partition("```diff\n")[2].partition("```")[0]
    for section in PAGE.split("\n## ")
    if "```diff" in section
}
"""The heading of a section → the change that it shows."""

USED = """
import fggm_lab as lab
from benchmarks.families import SIZES

model, tokenizer = lab.load_model("tiny")
examples = lab.load_tasks("trace-mini")["FOMC"].train[:4]
mean, total = (lab.fisher_scores(model, tokenizer, examples, estimator=name)
               for name in ("mean", "empirical"))
assert 0 < sum(mean.units[n].sum() for n in mean.names) < sum(
    total.units[n].sum() for n in total.names)
figure = lab.plots.FIGURES["shares_per_task"].draw({"FOMC": lab.Mask.top(mean, keep=0.25)})
assert "FOMC" in lab.plots.describe(figure)
assert lab.METHODS["bias"]().name == "bias" and "glm4" in SIZES
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with all examples applied."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in ("fggm_lab", "benchmarks", "tests", "data"):
        ignored = shutil.ignore_patterns("__pycache__", "course-runs", "results")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for heading, diff in DIFFS.items():
        done = subprocess.run(["git", "apply", "-"], cwd=copy, input=diff, text=True,
                              capture_output=True)  # fmt: skip
        assert done.returncode == 0, f"{heading}: {done.stderr}"
    return copy


def test_there_is_an_example_of_each_kind() -> None:
    assert list(DIFFS) == ["A method", "An estimator", "A figure", "A model family"]


def test_they_are_formatted_and_checked_as_the_lab_is(changed: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "-q", "fggm_lab", "benchmarks"],
            cwd=changed, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


def test_they_work(changed: Path) -> None:
    done = subprocess.run([sys.executable, "-c", USED], cwd=changed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
