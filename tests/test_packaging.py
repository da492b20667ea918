"""pyproject.toml, constraints.txt and environment.yml name the same things at the same versions."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {
    extra: [r for r in map(Requirement, lines) if r.name != PROJECT["name"]]
    for extra, lines in PROJECT["optional-dependencies"].items()
}
BENCH = EXTRAS.pop("bench")
REQUESTED = [
    *map(Requirement, PROJECT["dependencies"]),
    *(requirement for requirements in EXTRAS.values() for requirement in requirements),
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


def test_every_dependency_is_bounded_and_pinned_inside_its_bounds() -> None:
    assert {canonicalize_name(r.name) for r in REQUESTED} == set(PINS)
    for requirement in [*REQUESTED, *BENCH, *PEERS]:
        operators = {specifier.operator for specifier in requirement.specifier}
        assert "<" in operators, f"{requirement} has no upper bound"
    for requirement in REQUESTED:
        assert PINS[canonicalize_name(requirement.name)] in requirement.specifier, requirement


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
    assert python.removeprefix("python=") in PROJECT["requires-python"]


def test_every_extra_that_a_page_names_exists() -> None:
    files = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.*")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    named = re.findall(r"fggm-lab\[([\w,]+)\]", "\n".join(texts))
    assert named
    assert {extra for names in named for extra in names.split(",")} <= EXTRAS.keys()


def test_all_is_every_extra_of_users() -> None:
    (everything,) = PROJECT["optional-dependencies"]["all"]
    assert Requirement(everything).extras == EXTRAS.keys() - {"all", "dev"}
