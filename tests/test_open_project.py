"""The files around the code agree with it: addresses, versions, workflows, what they call."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import fggm_lab as lab
from tests.support.pages import PAGES
from tests.support.project import PYPROJECT, ROOT

PROJECT = PYPROJECT["project"]
HOME = PROJECT["urls"]["Homepage"]
OWNER, NAME = HOME.removeprefix("https://github.com/").split("/")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEXTS = [
    *PAGES,
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.*")),
    *(ROOT / name for name in ("pyproject.toml", "CITATION.cff", "mkdocs.yml")),
]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sorted(set(TEXTS)), ids=lambda p: str(p.relative_to(ROOT)))
def test_every_address_of_the_project_is_the_one_in_pyproject(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    addresses = re.findall(r"(?:github\.com|colab[\w./]+github|/gh)/([\w-]+)/(fggm[\w-]+)", text)
    assert set(addresses) <= {(OWNER, NAME)}
    assert set(re.findall(r"([\w-]+)\.github\.io/(fggm[\w-]+)", text)) <= {(OWNER, NAME)}


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (ROOT / "fggm_lab" / "py.typed").is_file()
    assert "Typing :: Typed" in PROJECT["classifiers"]


def test_changelog_and_citation_know_the_version() -> None:
    parts = re.findall(r"^## \[(.+?)\]", CHANGELOG, re.M)
    assert parts[0] == "Unreleased" and parts[1] == lab.__version__
    assert set(parts) == set(re.findall(r"^\[(.+?)\]: https", CHANGELOG, re.M))
    kinds = set(re.findall(r"^### (\w+)", CHANGELOG, re.M))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    citation = loaded(ROOT / "CITATION.cff")
    assert citation["version"] == lab.__version__ and citation["license"] == PROJECT["license"]
    assert f"## [{lab.__version__}] - {citation['date-released']}" in CHANGELOG


def test_the_papers_that_the_lab_stands_on_are_cited() -> None:
    cited = {reference["url"].rpartition("/")[2] for reference in loaded(ROOT / "CITATION.cff")["references"]}  # fmt: skip # noqa: E501
    assert cited == {"2601.18261", "2406.17245", "2310.06762"}
    assert lab.METHODS["fggm"].paper.endswith("2601.18261")
    assert lab.METHODS["migu"].paper.endswith("2406.17245")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_make_and_have_limits(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    workflow = loaded(path)
    assert workflow["permissions"] == {"contents": "read"}, "more is asked for job by job"
    calls = []
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            calls += re.findall(r"^make (\w+)", step.get("run", ""))
            assert "secrets." not in str(step)
        if any("run" in step for step in job["steps"]):
            assert job["timeout-minutes"]
    assert calls and set(calls) <= targets


def test_only_the_publishing_jobs_may_write() -> None:
    writing = {
        (path.stem, name): job["permissions"]
        for path in WORKFLOWS
        for name, job in loaded(path)["jobs"].items()
        if "permissions" in job
    }
    assert writing == {
        ("docs", "publish"): {"pages": "write", "id-token": "write"},
        ("release", "publish"): {"id-token": "write"},
    }


def test_a_bug_is_reported_with_the_environment() -> None:
    form = loaded(ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml")
    labels = {field["id"]: field["attributes"]["label"] for field in form["body"]}
    assert "fggm-lab info --json" in labels["environment"]


def test_hooks_call_what_is_installed_and_take_only_known_files() -> None:
    (repository,) = loaded(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for hook in repository["hooks"]:
        program = hook["entry"].split()[0]
        assert hook["language"] == "system" and program.startswith(".venv/bin/")
        assert f"$(BIN)/{Path(program).name}" in makefile


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"])
def test_links_of_the_outer_pages_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s#]+)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_every_notebook_can_be_opened_without_installing() -> None:
    page = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"https://colab.research.google.com/github/{OWNER}/{NAME}/blob/main/notebooks/{path.name}" in page  # fmt: skip # noqa: E501
        assert f"https://mybinder.org/v2/gh/{OWNER}/{NAME}/HEAD?urlpath=lab/tree/notebooks/{path.name}" in page  # fmt: skip # noqa: E501


def test_binder_installs_the_lab() -> None:
    script = ROOT / "postBuild"
    assert script.stat().st_mode & 0o111, "Binder runs it only if it may be run"
    subprocess.run(["sh", "-n", script], check=True)
    assert "pip install --no-deps -e ." in script.read_text(encoding="utf-8")
    assert loaded(ROOT / "environment.yml")["name"] == PROJECT["name"]
