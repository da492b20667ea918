"""Objects by `module:name` and by entry point: what is imported, when, and what is said if not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fggm_lab.errors import SettingError
from fggm_lab.plugins import (
    entry_points,
    is_reference,
    load_entry_point,
    load_object,
    look_up,
    split_setting,
)
from tests.support.plugins import install_entry_points

GROUP = "fggm_lab.tests"


@pytest.fixture(autouse=True)
def imports_undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let every test start with the modules and the search path there were."""
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module_of_the_current_folder_is_found_before_an_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, installed = tmp_path / "here", tmp_path / "installed"
    for root, value in ((folder, 1), (installed, 2)):
        root.mkdir()
        (root / "lent.py").write_text(f"import sys\nVALUE = {value}\n")
    (folder / "neighbour.py").write_text("VALUE = 3\n")
    monkeypatch.syspath_prepend(installed)
    monkeypatch.chdir(folder)
    assert load_object("lent:VALUE") == 1
    assert sys.path[0] == str(installed) and sys.path[-1] == str(folder)  # it now hides nothing
    assert load_object("neighbour:VALUE") == 3


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("nosuch:Thing", "^nosuch:Thing: there is no module 'nosuch'; a module is looked for in"),
        ("bag.nosuch:Thing", "^bag.nosuch:Thing: there is no module 'bag.nosuch'"),
        (
            "bag:Thin",
            r"^bag:Thin: module bag \(.*__init__.py\) has no 'Thin'; did you mean 'Thing'",
        ),
        ("torn:Thing", "^torn:Thing: importing torn fails at torn.py, line 2: ValueError: so many"),
        ("lacks:Thing", "fails at lacks.py, line 1: ModuleNotFoundError: No module named 'nosuch'"),
        ("bag:", "^'bag:' is not of the form module:name"),
        ("../bag:Thing", "is not of the form module:name"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, sentence: str
) -> None:
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "__init__.py").write_text("Thing = object()\n")
    (tmp_path / "torn.py").write_text("\nraise ValueError('so many')\n")
    (tmp_path / "lacks.py").write_text("import nosuch\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingError, match=sentence) as caught:
        load_object(reference)
    assert "\n" not in str(caught.value)


def test_entry_points_are_listed_without_importing_and_loaded_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lent_package.py").write_text("VALUE = 1\n")
    entries = {"one": "lent_package:VALUE", "gone": "lent_package:GONE"}
    install_entry_points(tmp_path, GROUP, entries)
    monkeypatch.syspath_prepend(tmp_path)
    assert list(entry_points(GROUP)) == ["gone", "one"]
    assert "lent_package" not in sys.modules
    assert load_entry_point(entry_points(GROUP)["one"]) == 1
    with pytest.raises(SettingError, match=r"^gone of group fggm_lab.tests \(lent_package:GONE\)"):
        load_entry_point(entry_points(GROUP)["gone"])


def test_look_up_prefers_what_is_shipped_and_names_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lent_package.py").write_text("VALUE = 1\n")
    install_entry_points(
        tmp_path, GROUP, {"one": "lent_package:VALUE", "two": "lent_package:VALUE"}
    )
    monkeypatch.syspath_prepend(tmp_path)
    shipped = {"two": 2, "three": 3}
    assert look_up("number", "two", shipped, GROUP) == 2
    assert look_up("number", "one", shipped, GROUP) == 1
    assert look_up("number", "lent_package:VALUE", shipped, GROUP) == 1
    with pytest.raises(
        SettingError,
        match=r"^no number is named 'thre'; there are: two, three, one; "
        r"did you mean 'three'\?$",
    ):
        look_up("number", "thre", shipped, GROUP)


def test_a_reference_is_a_dotted_module_and_a_name() -> None:
    assert all(map(is_reference, ("m:C", "package.module_2:Class", "m:f")))
    assert not any(map(is_reference, ("m", "m:", ":C", "m:C+sft", "C:\\data", "a/b:C", "m:C.keep")))


def test_importing_the_package_asks_for_no_entry_point() -> None:
    program = "import sys, fggm_lab; print('fggm_lab.plugins' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert printed.stdout == "False\n", printed.stderr


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("fggm.keep", ("fggm", "keep")),
        ("fggm-online.gather", ("fggm-online", "gather")),
        ("package.module:Class.keep", ("package.module:Class", "keep")),
        ("lora+fggm.fggm.keep", ("lora+fggm", "fggm.keep")),
        ("sft+a.b:C.a.b:C.keep", ("sft+a.b:C", "a.b:C.keep")),
        ("keep", None),
        ("fggm.", None),
        (".keep", None),
    ],
)
def test_a_setting_is_split_after_its_method(text: str, split: tuple[str, str] | None) -> None:
    assert split_setting(text) == split
