"""The built site: complete, and silent on the network."""

import json
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest

import fggm_lab as lab
from fggm_lab.fisher import ESTIMATORS
from fggm_lab.methods import METHODS
from fggm_lab.plots import FIGURES
from tests.support.pages import ROOT


@pytest.fixture(scope="module")
def documented(site: Path) -> set[str]:
    """Every name that has a place on an API page, under all paths it is known by."""
    packed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ")[0] for line in zlib.decompress(packed).decode().splitlines()}


def text(path: Path) -> str:
    """A page's text, without its tags."""
    return re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("hooks")
def test_every_public_name_of_every_room_is_documented(documented: set[str]) -> None:
    from rooms import ROOMS, path_of, public

    for room in ROOMS:
        assert public(room)
        missing = [name for name in public(room) if path_of(room, name) not in documented]
        assert not missing, f"{room}: {missing}"


@pytest.mark.usefixtures("hooks")
def test_every_name_of_the_public_surface_is_linked_to_its_page(site: Path) -> None:
    from rooms import ROOMS

    page = (site / "api" / "index.html").read_text(encoding="utf-8")
    for name in lab.__all__:
        if name in ROOMS:
            assert f'href="{name}.html"' in page
        else:
            assert re.search(rf'href="[^"]+"[^>]*><code>lab\.{name}</code></a>', page), name


def test_every_registered_figure_method_and_estimator_is_listed(site: Path) -> None:
    registries: dict[str, Iterable[str]] = {
        "plots": FIGURES, "methods": METHODS, "fisher": ESTIMATORS,
    }  # fmt: skip
    for page, names in registries.items():
        listed = text(site / "api" / f"{page}.html")
        assert not [name for name in names if name not in listed]


def test_every_registered_figure_has_its_picture_in_the_gallery_and_beside_its_function(
    site: Path,
) -> None:
    for page, count in (("gallery.html", 2), ("api/plots.html", 1)):
        html = (site / page).read_text(encoding="utf-8")
        for name in FIGURES:
            assert html.count(f"figures/{name}.svg") == count, f"{page}: {name}"
            assert (site / "figures" / f"{name}.svg").read_text(encoding="utf-8")[:4] == "<svg"


def test_every_notebook_has_a_page_and_lies_beside_it(site: Path) -> None:
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        assert (site / "course" / path.name).read_bytes() == path.read_bytes()
        page = text(site / "course" / f"{path.stem}.html")
        assert "NBVAL" not in page and "$" not in re.sub(r"\$\w+|\$ ", "", page), path.name


def test_before_each_notebook_stands_a_short_page_of_its_idea_with_a_picture(site: Path) -> None:
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        source = (ROOT / "docs" / "ideas" / f"{path.stem}.md").read_text(encoding="utf-8")
        heading = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"][0].strip()
        assert source.startswith(f"{heading}: the idea\n") and len(source.split()) < 200
        assert "**Idea.**" in source and "**Mechanism.**" in source
        page = (site / "ideas" / f"{path.stem}.html").read_text(encoding="utf-8")
        (picture,) = re.findall(r'src="\.\./(figures/\w+\.svg)"', page)
        assert (site / picture).is_file()
        assert f"../course/{path.stem}.html" in page


def test_docstrings_are_read_to_the_end(site: Path) -> None:
    for path in (site / "api").glob("*.html"):
        left = re.findall(r"^ *(?:Args|Returns|Raises|Attributes):$", text(path), re.M)
        assert left == [] or set(left) <= {"Raises:", "Returns:", "Attributes:"}, path.name


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]+src="(?:https?:)?//[^"]+', page)
        loaded += re.findall(r'<link[^>]+rel="(?:stylesheet|preconnect)"[^>]+//[^"]+', page)
        assert loaded == [], path.name
