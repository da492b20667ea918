"""pyproject.toml, constraints.txt and environment.yml name the same things at the same versions."""

import json
import re

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.project import PYPROJECT, ROOT

PROJECT = PYPROJECT["project"]
EXTRAS = {
    extra: [r for r in map(Requirement, lines) if r.name != PROJECT["name"]]
    for extra, lines in PROJECT["optional-dependencies"].items()
}
BENCH = EXTRAS.pop("bench")
REQUESTED = [
    *map(Requirement, PROJECT["dependencies"]),
    *(requirement for requirements in EXTRAS.values() for requirement in requirements),
]
USERS = [
    *map(Requirement, PROJECT["dependencies"]),
    *(
        r
        for extra, requirements in EXTRAS.items()
        if extra not in ("all", "dev")
        for r in requirements
    ),
]
PEERS = [
    Requirement(line)
    for line in (ROOT / "benchmarks" / "peers.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
PINS = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M
    )
}


def test_every_dependency_has_a_lower_bound_and_is_pinned_inside_its_bounds() -> None:
    assert {canonicalize_name(r.name) for r in REQUESTED} == set(PINS)
    for requirement in [*REQUESTED, *BENCH, *PEERS]:
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators & {">=", "=="}, f"{requirement} has no lower bound"
    for requirement in REQUESTED:
        assert PINS[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_an_upper_bound_has_its_reason_beside_it() -> None:
    for line in (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines():
        if re.match(r'\s+"[\w-]+>=[\w.]+,<', line):
            assert "# " in line and ";" in line.partition("# ")[2], line


TESTED_ALONE = {"gguf", "submitit", "tensorboard"}
"""Newer than the report: tested at their bounds by their own tests. The next `make compat` records
them, and then this goes."""


def test_a_users_lower_bounds_are_those_that_were_tested() -> None:
    report = json.loads((ROOT / "docs" / "compat.json").read_text(encoding="utf-8"))
    for requirement in USERS:
        if requirement.name in TESTED_ALONE:
            continue
        (bound,) = (s.version for s in requirement.specifier if s.operator == ">=")
        tested = report["lowest"]["versions"][canonicalize_name(requirement.name)]
        assert Version(bound) == Version(tested), requirement
        assert report["newest"]["versions"][canonicalize_name(requirement.name)] in (
            requirement.specifier
        )
    failed = {
        name for run in report.values() for t in run["tests"].values() for name in t["failed"]
    }
    assert failed <= {
        # torch 2.6 cannot compile llama of transformers 5.6, without the lab as well
        "tests.training.test_active_rows::test_torch_compile_inside_the_block",
        # Mamba of transformers 5.6 calls every layer, so none is left out
        "tests.attribution.test_layouts::test_mambas_layers_without_a_call_are_said",
    }


def test_other_libraries_are_measured_and_never_used() -> None:
    rivals = {canonicalize_name(r.name) for r in [*BENCH, *PEERS]}
    assert not rivals & {canonicalize_name(r.name) for r in REQUESTED}
    modules = "opacus|backpack|kronfluence|nngeometry|asdl|asdfghjkl|curvlinops"
    for path in (ROOT / "fggm_lab").rglob("*.py"):
        match = re.search(rf"^\s*(import|from) ({modules})\b", path.read_text("utf-8"), re.M)
        assert match is None, f"{path}: {match}"


def test_conda_users_get_the_same_versions() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    listed = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    pins = dict(line.split("==") for line in listed)
    assert {canonicalize_name(name): version for name, version in pins.items()} == PINS
    python = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    assert python.removeprefix("python=") in SpecifierSet(PROJECT["requires-python"])


def test_every_extra_that_a_page_names_exists() -> None:
    files = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.*")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    named = re.findall(r"fggm-lab\[([\w,]+)\]", "\n".join(texts))
    assert named
    assert {extra for names in named for extra in names.split(",")} <= EXTRAS.keys()


def test_all_is_every_extra_of_users() -> None:
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(everything).extras == EXTRAS.keys() - {"all", "dev"}
